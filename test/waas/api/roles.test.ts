/** What a proven API key may do, and from where. */
import { expect, test } from "bun:test"
import { routesOf } from "../../../src/waas/api/server.ts"
import { isAmong, parseNetwork } from "../../../src/waas/networks.ts"
import type { ApiRole } from "../../../src/waas/store/model.ts"
import { Rig } from "../../support/waas.ts"
import { Caller } from "./caller.ts"

const ROLES: readonly ApiRole[] = ["read", "approve", "operate", "admin"]

test("each route of the API answers 403 with 2025 to every role below its own, and to no other", async () => {
  await using rig = await Rig.open()
  const callers = await Promise.all(ROLES.map((role) => Caller.of(rig, "ed25519", { role })))
  for (const { method, path, role } of routesOf(rig.context())) {
    for (const [rank, caller] of callers.entries()) {
      const answer = await caller.call(method, path.replaceAll(/:\w+/g, "x"), method === "GET" ? {} : { body: {} })
      const isRefused = answer.json?.error_code === 2025
      expect({ method, path, as: ROLES[rank], isRefused }).toEqual({
        ...{ method, path, as: ROLES[rank], isRefused: rank < ROLES.indexOf(role) },
      })
      if (isRefused) expect(answer.status).toBe(403)
    }
  }
})

test("who reads cannot sign, who signs cannot change vaults, groups, keys, wallets or webhooks", () => {
  const routes = routesOf(Object.create(null))
  const of = (role: ApiRole) =>
    routes.filter((route) => route.role === role).map(({ method, path }) => `${method} ${path}`)
  expect(of("read").every((route) => route.startsWith("GET "))).toBe(true)
  expect(of("operate").filter((route) => !/sign_requests|addresses|transactions/.test(route))).toEqual([])
  expect(of("approve").every((route) => /^POST .*(_requests\/:\w+\/approvals|nodes\/:\w+\/orders)$/.test(route))).toBe(
    true,
  )
  expect(of("approve").length).toBe(3)
  for (const route of [
    "POST /v2/wallets/mpc/vaults",
    "POST /v2/wallets/mpc/vaults/:vault_id/tss_requests",
    "POST /v2/wallets",
  ])
    expect(of("admin")).toContain(route)
})

test("a key with a list of addresses is used from there alone", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig, "ed25519", { addresses: ["192.0.2.7", "10.1.0.0/16", "2001:db8::/32"] })
  const from = async (address?: string): Promise<number> => {
    const options = address === undefined ? {} : { from: address }
    return (await caller.call("GET", "/v2/organizations/info", options)).status
  }
  for (const inside of ["192.0.2.7", "::ffff:192.0.2.7", "10.1.255.1", "2001:db8:1::5"])
    expect([inside, await from(inside)]).toEqual([inside, 200])
  for (const outside of [
    "192.0.2.8",
    "10.2.0.1",
    "::ffff:10.2.0.1",
    "2001:db9::1",
    "fe80::1%eth0",
    "nonsense",
    undefined,
  ])
    expect([outside, await from(outside)]).toEqual([outside, 403])
  // A stranger learns nothing of lists: it is refused as ever.
  const forged = await caller.call("GET", "/v2/organizations/info", {
    ...{ from: "203.0.113.1", headers: { "BIZ-API-SIGNATURE": "11".repeat(64) } },
  })
  expect([forged.status, forged.json.error_code]).toEqual([401, 2024])
})

test("keys that were made before there were roles may do everything, from everywhere", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig)
  expect((await rig.store.apiKey(caller.pair.publicKey))?.role).toBe("admin")
  expect(
    (await caller.call("POST", "/v2/wallets/mpc/vaults", { body: { name: "v", vault_type: "Org-Controlled" } })).status,
  ).toBe(201)
})

test.each([
  ["192.0.2.7", 32, "ipv4"],
  ["10.0.0.0/8", 8, "ipv4"],
  ["0.0.0.0/0", 0, "ipv4"],
  ["2001:db8::/32", 32, "ipv6"],
  ["::1", 128, "ipv6"],
] as const)("%s is a network", (text, bits, family) => {
  expect(parseNetwork(text)).toMatchObject({ bits, family })
})

test.each(["", "example.org", "10.0.0.0/33", "10.0.0.0/08", "10.0.0", "10.0.0.0/", "::/129", "1.2.3.4/8/8", " ::1"])(
  "%p is none",
  (text) => {
    expect(parseNetwork(text)).toBeUndefined()
    expect(isAmong([text], "10.0.0.1")).toBe(false)
  },
)
