/** Who makes room when strangers hold all connections without proof. */
import { expect, test } from "bun:test"
import { NodeConnection } from "../../src/waas/relayConnection.ts"
import { RELAY_LIMITS } from "../../src/waas/relayOptions.ts"
import { networkOf, UnprovenConnections } from "../../src/waas/unproven.ts"
import { newIdentity } from "../wire/documents.ts"

const nothing = () => undefined
const events = { admit: nothing, opened: nothing, packet: nothing, refused: nothing }
const options = { signer: newIdentity(), clock: Date.now, limits: RELAY_LIMITS }
const from = (address: string) => new NodeConnection(address, options, events)

/** The addresses that are left after each of these came, in order, with room for so many. */
function leftOf(most: number, addresses: readonly string[]): readonly string[] {
  const unproven = new UnprovenConnections(most)
  const left = new Set<NodeConnection>()
  for (const address of addresses) {
    const evicted = unproven.evict(address)
    if (evicted !== undefined) left.delete(evicted)
    const connection = from(address)
    unproven.add(connection)
    left.add(connection)
  }
  return [...left].map((connection) => connection.address)
}

test("nobody goes while there is room", () => {
  expect(leftOf(3, ["a", "a", "b"])).toEqual(["a", "a", "b"])
})

test("the address with most makes room, however many it opens and whoever is older", () => {
  expect(leftOf(4, ["b", "a", "a", "a", "c"])).toEqual(["b", "a", "a", "c"])
  const flood = Array.from({ length: 500 }, () => "a")
  expect(leftOf(4, ["b", ...flood, "c", ...flood])).toEqual(["b", "c", "a", "a"])
})

test("a stranger's newest costs its own oldest, not somebody else's", () => {
  expect(leftOf(2, ["a", "b", "b"])).toEqual(["a", "b"])
})

test("among equals the oldest goes", () => {
  expect(leftOf(3, ["a", "b", "c", "d"])).toEqual(["b", "c", "d"])
})

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:db8:1:2::9", "2001:db8:1:2"],
  ["2001:0db8:1:2:ffff::", "2001:db8:1:2"],
  ["2001:db8::9", "2001:db8:0:0"],
  ["::1", "0:0:0:0"],
  ["fe80::1%eth0", "fe80:0:0:0"],
  ["", ""],
])("%p is one stranger with %p", (address, network) => {
  expect(networkOf(address)).toBe(network)
})
