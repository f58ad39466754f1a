/** Resharing through REST: what is answered, what is refused, and what becomes of groups. The protocol is test/reshare's. */
import { expect, test } from "bun:test"
import { CosignerError } from "../../../src/errors.ts"
import { newUuid } from "../../../src/waas/ids.ts"
import type { HolderGroup } from "../../../src/waas/store/model.ts"
import { Rig } from "../../support/waas.ts"
import { Caller } from "./caller.ts"

async function stage() {
  const rig = await Rig.open({ nodes: 6, curves: ["ED25519"] })
  const { vault, group: made } = await rig.madeVault()
  const caller = await Caller.of(rig)
  const base = `/v2/wallets/mpc/vaults/${vault.vaultId}`
  const all = await rig.mustGroup(made.groupId)
  const main: HolderGroup = { ...all, holders: all.holders.slice(0, 3) }
  await rig.store.commit([{ put: "group", record: main }])
  const newGroup = async (type: HolderGroup["type"], nodes: readonly number[], threshold = 2): Promise<string> => {
    const answer = await caller.post(`${base}/key_share_holder_groups`, {
      key_share_holder_group_type: type,
      participants: nodes.length,
      threshold,
      key_share_holders: nodes.map((i) => ({ name: `n${i}`, type: "API", tss_node_id: rig.node(i).id })),
    })
    expect(answer.status).toBe(201)
    return String(answer.json["key_share_holder_group_id"])
  }
  const request = (type: string, target: string, source: string | undefined, more: object = {}) =>
    caller.post(`${base}/tss_requests`, {
      type,
      target_key_share_holder_group_id: target,
      ...(source === undefined
        ? {}
        : { source_key_share_holder_group: { key_share_holder_group_id: source, ...more } }),
    })
  return { rig, vault, main, caller, base, newGroup, request }
}

test("an accepted request names its source, and its dealers: online ones first", async () => {
  const { rig, main, newGroup, request } = await stage()
  await using _ = rig
  const outside = [3, 4, 5]
  const target = await newGroup("SigningGroup", outside)
  const online = main.holders.map(({ nodeId }) => nodeId)
  const gone = rig.nodes.find(({ id }) => id === online[0])
  if (gone === undefined) throw new Error("no such node")
  gone.online = false
  const answer = await request("KeyGenFromKeyGroup", target, main.groupId)
  expect(answer.status).toBe(201)
  expect(answer.json).toMatchObject({
    type: "KeyGenFromKeyGroup",
    status: "PendingKeyHolderConfirmation",
    target_key_share_holder_group_id: target,
    source_key_share_holder_group: { key_share_holder_group_id: main.groupId, tss_node_ids: online.slice(1, 3) },
  })
  // One change of a group at a time.
  const again = await request("KeyReshare", main.groupId, main.groupId)
  expect([again.status, again.json["error_code"]]).toEqual([400, 2029])
})

test("what does not fit is refused with its number", async () => {
  const { rig, main, newGroup, request, base, caller } = await stage()
  await using _ = rig
  const signing = await newGroup("SigningGroup", [3, 4, 5])
  const shared = await newGroup("SigningGroup", [0, 3])
  const recovery = await newGroup("RecoveryGroup", [3, 4])
  const newMain = await newGroup("MainGroup", [3, 4])
  const id = (i: number) => rig.node(i).id
  const codes: readonly (readonly [string, Awaited<ReturnType<typeof request>>, number])[] = [
    ["no source", await request("KeyGenFromKeyGroup", signing, undefined), 2003],
    ["a KeyGen with a source", await request("KeyGen", newMain, main.groupId), 2006],
    ["a KeyGen for a vault that has its keys", await request("KeyGen", newMain, undefined), 2029],
    [
      "a source that does not exist",
      await request("KeyReshare", newMain, "00000000-0000-4000-8000-000000000000"),
      2028,
    ],
    ["a source without keys", await request("KeyReshare", signing, recovery), 2029],
    ["a main group made from itself", await request("KeyGenFromKeyGroup", newMain, main.groupId), 2029],
    ["a recovery by the main group", await request("Recovery", newMain, main.groupId), 2029],
    ["another type", await request("KeyReshare", signing, main.groupId), 2029],
    ["a target that has its keys", await request("KeyGenFromKeyGroup", main.groupId, main.groupId), 2029],
    ["a node of the main group", await request("KeyGenFromKeyGroup", shared, main.groupId), 2006],
    ["too few dealers", await request("KeyReshare", newMain, main.groupId, { tss_node_ids: [id(0)] }), 2006],
    ["a dealer twice", await request("KeyReshare", newMain, main.groupId, { tss_node_ids: [id(0), id(0)] }), 2006],
    [
      "a dealer from elsewhere",
      await request("KeyReshare", newMain, main.groupId, { tss_node_ids: [id(0), id(5)] }),
      2006,
    ],
  ]
  for (const [what, { json }, code] of codes) expect([what, json["error_code"]]).toEqual([what, code])
  // A node may hold shares in two groups of a vault when that is what is wanted.
  const meant = await caller.post(`${base}/tss_requests`, {
    type: "KeyGenFromKeyGroup",
    target_key_share_holder_group_id: shared,
    source_key_share_holder_group: { key_share_holder_group_id: main.groupId },
    allow_shared_nodes: true,
  })
  expect(meant.status).toBe(201)
})

test("a signing group becomes the main group; the original is converted or invalidated", async () => {
  for (const handling of ["ConvertToSigningGroup", "Invalidate"] as const) {
    const { rig, vault, main, caller, base } = await stage()
    await using _ = rig
    const signing: HolderGroup = { ...main, groupId: crypto.randomUUID(), type: "SigningGroup" }
    await rig.store.commit([{ put: "group", record: signing }])
    const put = (group: string) =>
      caller.call("PUT", `${base}/key_share_holder_groups/${group}`, {
        body: { update_key_share_holder_group_action: "UpgradeToMainGroup", original_main_group_handling: handling },
      })
    expect((await put(main.groupId)).json["error_code"]).toBe(2029)
    const upgraded = await put(signing.groupId)
    expect(upgraded.json).toMatchObject({
      key_share_holder_group_id: signing.groupId,
      type: "MainGroup",
      status: "Valid",
    })
    const original = await rig.mustGroup(main.groupId)
    expect(original).toMatchObject(
      handling === "Invalidate"
        ? { type: "MainGroup", status: "Unavailable" }
        : { type: "SigningGroup", status: "Valid" },
    )
    expect((await rig.store.groupOf(vault.vaultId, "MainGroup", "Valid"))?.groupId).toBe(signing.groupId)
  }
})

test("a group is deleted, the main group is not; nothing signs with a deleted one", async () => {
  const { rig, main, caller, base, newGroup } = await stage()
  await using _ = rig
  const remove = (group: string) => caller.post(`${base}/key_share_holder_groups/${group}/delete`)
  expect((await remove(main.groupId)).json["error_code"]).toBe(2029)
  const signing = await newGroup("SigningGroup", [3, 4])
  expect((await remove(signing)).json).toEqual({ submitted: true })
  expect((await rig.mustGroup(signing)).status).toBe("Unavailable")
})

test("the next step of a node that waits for a refresh is a request that WaaS takes", async () => {
  const { rig, vault, main, caller } = await stage()
  await using _ = rig
  const { next } = new CosignerError("E-TSK-040", { groupId: main.groupId })
  const [, path = "", body = ""] = /POST (\S+) .*?(\{.*\});/.exec(next) ?? []
  const answer = await caller.post(
    path.replace("VAULT", vault.vaultId),
    JSON.parse(body.replaceAll("GROUP", main.groupId)),
  )
  expect([answer.status, answer.json["type"]]).toEqual([201, "KeyReshare"])
})

test("while a reshare has moved one of two keys, each curve is signed by the main group that has it", async () => {
  await using rig = await Rig.open({ nodes: 6 })
  const { vault, group: main } = await rig.madeVault()
  const caller = await Caller.of(rig)
  const moved = main.shareGroups.filter(({ curve }) => curve === "ED25519")
  const target: HolderGroup = { ...main, groupId: newUuid(), status: "New", shareGroups: moved }
  const left: HolderGroup = { ...main, shareGroups: main.shareGroups.filter(({ curve }) => curve === "SECP256K1") }
  for (const record of [left, target]) await rig.store.commit([{ put: "group", record }])
  for (const [curve, type, from] of [
    ["ED25519", 2, target],
    ["SECP256K1", 1, left],
  ] as const) {
    const asked = await caller.post(`/v2/wallets/mpc/vaults/${vault.vaultId}/sign_requests`, {
      request_id: newUuid(),
      curve,
      signature_type: type,
      messages: [{ bip32_path: type === 1 ? "m/44/60/0/0/1" : "m/44/501/0/0/1", msg_hash: `0x${"17".repeat(32)}` }],
    })
    expect([asked.status, asked.json.key_share_holder_group_id]).toEqual([201, from.groupId])
    await rig.relay.settle()
    const path = `/v2/wallets/mpc/vaults/${vault.vaultId}/sign_requests/${asked.json.sign_request_id}`
    expect((await caller.get(path)).json.status).toBe("Completed")
  }
})
