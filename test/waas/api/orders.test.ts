/** Orders by way of WaaS: what has their form reaches the node that it names, as it is; everything else reaches nobody. */
import { expect, test } from "bun:test"
import { type Order, writeOrder } from "../../../src/approvals/order.ts"
import { armorSshsig } from "../../../src/approvals/sshsig.ts"
import { VERSIONS } from "../../../src/wire/versions.ts"
import { sshTestKey } from "../../support/approvers.ts"
import type { SimulatedNode } from "../../support/simulatedNodes.ts"
import { Rig } from "../../support/waas.ts"
import { Caller } from "./caller.ts"

let boot = 0
/** The node says hello anew, by that link version. */
async function speaking(rig: Rig, node: SimulatedNode, link: number): Promise<void> {
  boot++
  const token = { incarnation: 0, boot, bootId: `${boot}`, generation: boot, versions: { ...VERSIONS, link } }
  await rig.engine.admitFencingToken(node.id, token)
  await rig.online(node)
}

test("an order reaches its node while that is there, and no other", async () => {
  await using rig = await Rig.open()
  const caller = await Caller.of(rig, "ed25519", { role: "approve" })
  const vault = await rig.vault()
  await rig.group(vault)
  const [first, second] = [rig.nodes[0]!, rig.nodes[1]!]
  await speaking(rig, first, 4)
  const key = sshTestKey("ssh-ed25519")
  const text = (over: Partial<Order> = {}): string => {
    const order = writeOrder({
      ...{ kind: "freeze", node: first.id, about: "node", until: undefined, approver: "alice" },
      notAfter: Math.ceil(rig.clock.nowMs / 1000) + 60,
      nonce: "00".repeat(16),
      ...over,
    } as const)
    return Buffer.from(order).toString() + armorSshsig(key.sign(order, "cosigner-freeze"))
  }
  const post = async (nodeId: string, order: string) => {
    const { status, json } = await caller.call("POST", `/v2/wallets/mpc/nodes/${nodeId}/orders`, { body: { order } })
    return [status, json?.error_code]
  }
  expect(await post(first.id, text())).toEqual([201, undefined])
  await rig.relay.settle()
  expect(first.received.filter(({ kind }) => kind === "order")).toEqual([{ kind: "order", order: text() }])
  expect(second.received.filter(({ kind }) => kind === "order")).toEqual([])
  expect((await post(second.id, text()))[0]).toBe(400)
  expect((await post(first.id, text({ notAfter: 1 })))[0]).toBe(400)
  expect((await post(first.id, text().replace("alice", "ALICE")))[0]).toBe(400)
  expect((await post(first.id, "hello"))[0]).toBe(400)
  expect(await post("11111111111111111111", text({ node: "11111111111111111111" }))).toEqual([404, 2028])
  // of an older release, or away
  await speaking(rig, first, 3)
  expect((await post(first.id, text()))[1]).toBe(2029)
  await speaking(rig, first, 4)
  first.online = false
  expect((await post(first.id, text()))[1]).toBe(2029)
})
