/** What a node takes back is not sent: neither what waits for a link, nor what is on its way when the connection stalls. */
import { expect, setDefaultTimeout, test } from "bun:test"
import type { FromNode } from "../../src/wire/frames.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import * as said from "../wire/said.ts"
import { heard } from "./stage.ts"
import { numbered, startNode, startWaas, startWire } from "./world.ts"

setDefaultTimeout(20_000)

const envelope = (taskId: string, number: number): FromNode => said.envelope(taskId, numbered(number, 100))
const blank = (taskId: string): FromNode => said.envelope(taskId)

test("envelopes that wait for the link are replaced, and others are sent as they are", async () => {
  const waas = startWaas()
  const wire = await startWire(waas.port)
  wire.swallow()
  const node = startNode({ identity: waas.identity, port: wire.port })
  for (const [n, task] of ["task-a", "task-b", "task-a"].entries()) node.link.send(envelope(task, n))
  node.link.withdraw(({ taskId }) => taskId === "task-a")
  expect(node.link.state().queue.frames).toBe(3)
  wire.swallow(false)
  wire.cut()
  await waas.journal.until(() => heard(waas).length >= 3)
  expect(heard(waas)).toEqual([blank("task-a"), envelope("task-b", 1), blank("task-a")])
  node.link.stop()
  await wire.close()
  await waas.stop()
})

test("messages for whoever is online now are not kept for a later connection", async () => {
  const waas = startWaas()
  const wire = await startWire(waas.port)
  const node = startNode({ identity: waas.identity, port: wire.port })
  await node.online()
  const said: FromNode = { kind: "peer", receiver: nodeIdOf(node.identity.party), message: numbered(1, 40) }
  node.link.send(said)
  await waas.journal.until(() => heard(waas).length === 1)
  wire.cut()
  await node.journal.until((all) => all.some(({ kind }) => kind === "offline"))
  const { frames } = node.link.state().queue
  for (let n = 0; n < 20; n++) node.link.send(said)
  expect(node.link.state().queue.frames).toBe(frames)
  node.link.stop()
  await wire.close()
  await waas.stop()
})

test("what is on its way ends the connection, and does not come by the next one", async () => {
  const waas = startWaas()
  const wire = await startWire(waas.port)
  const node = startNode({ identity: waas.identity, port: wire.port })
  await node.online()
  wire.swallow()
  for (let n = 0; n < 20; n++) node.link.send(envelope("task-a", n))
  node.link.withdraw(() => true)
  expect(node.link.state().lastError?.code).toBe("E-FRZ-005")
  // by then the first connection has no more to say
  while (wire.connections() < 2) await new Promise((resolve) => setImmediate(resolve))
  wire.swallow(false)
  wire.cut()
  await waas.journal.until(() => heard(waas).length >= 20)
  expect(heard(waas)).toEqual(Array.from({ length: 20 }, () => blank("task-a")))
  node.link.stop()
  await wire.close()
  await waas.stop()
})
