/** The binary under a WaaS whose clock is 30 s off: it approves nothing and begins nothing, says so, and goes on afterwards. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { FromNode } from "../../src/wire/frames.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { encodeStart, signDocument } from "../../src/wire/signed.ts"
import { encodeTask, type KeyGenTask } from "../../src/wire/task.ts"
import { startWaas, type Waas } from "../link/world.ts"
import { makeNode } from "../support/nodeProcess.ts"
import { keyGen, newIdentity } from "../wire/documents.ts"

setDefaultTimeout(60_000)

type Report = Extract<FromNode, { kind: "report" }>

test("30 s off: no approval and no start; what was approved before begins once the clock is right", async () => {
  using node = await makeNode()
  const identity = newIdentity()
  const socket = join(node.dir, "status.sock")
  let waas = startWaas({ identity })
  writeFileSync(
    join(node.dir, "configs", "cosigner.toml"),
    [
      "danger_allow_unguarded_signing = true",
      `[websocket]\nurl = "ws://127.0.0.1:${waas.port}/ws"\nwaas_public_key = "${toHex(identity.publicKey)}"`,
      `[status]\nenable = true\nlisten = "unix:${socket}"`,
    ].join("\n"),
    { mode: 0o600 },
  )
  try {
    await using _ = node.start()
    const self = await partyOnline(waas)
    const task = (id: string): KeyGenTask => ({
      ...keyGen,
      task_id: id,
      biz_task_id: `biz-${id}`,
      created_ms: Date.now(),
      deadline_ms: Date.now() + 600_000,
      group_id: `GroupForTheClock${id === "task-a1" ? "Aaaa" : "Bbbb"}`,
      node_ids: [nodeIdOf(self), nodeIdOf(newIdentity().party)].sort(),
      threshold: 2,
    })
    const ask = (document: KeyGenTask) =>
      waas.relay.send(self, { kind: "task", task: signDocument(identity, "waas/task", encodeTask(document)) })
    const start = (document: KeyGenTask, attempt: number) => {
      const digest = toHex(sha256(encodeTask(document)))
      const bytes = encodeStart({ task_id: document.task_id, digest, attempt })
      waas.relay.send(self, { kind: "start", start: signDocument(identity, "waas/start", bytes) })
    }
    const before = task("task-a1")
    ask(before)
    await report(waas, ({ taskId, approved }) => taskId === "task-a1" && approved)

    // the same WaaS comes back, and says another time
    const { port } = waas
    await waas.stop()
    waas = startWaas({ identity, port, clock: () => Date.now() + 30_000 })
    expect(await partyOnline(waas)).toBe(self)
    await item(socket, "clock", "failed")
    ask(task("task-a2"))
    while (!isPutOff(waas, "task-a2")) await Bun.sleep(20)
    start(before, 1)
    await report(waas, ({ taskId, code, attempt }) => taskId === "task-a1" && code === "E-TSK-045" && attempt === 1)
    expect(envelopes(waas)).toBe(0)

    await waas.stop()
    waas = startWaas({ identity, port })
    await partyOnline(waas)
    await item(socket, "clock", "ok")
    start(before, 2)
    await report(waas, ({ taskId, status, attempt }) => taskId === "task-a1" && status === 140 && attempt === 2)
    while (envelopes(waas) === 0) await Bun.sleep(20)
  } finally {
    await waas.stop()
  }
})

const isPutOff = ({ journal }: Waas, id: string): boolean =>
  journal.entries.some(
    (entry) =>
      entry.kind === "frame" &&
      entry.frame.kind === "later" &&
      entry.frame.taskId === id &&
      entry.frame.code === "E-TSK-045",
  )

const envelopes = ({ journal }: Waas): number =>
  journal.entries.filter((entry) => entry.kind === "frame" && entry.frame.kind === "envelope").length

async function partyOnline({ journal }: Waas) {
  for (;;) {
    const found = journal.entries.find((entry) => entry.kind === "online")
    if (found?.kind === "online") return found.party
    await Bun.sleep(20)
  }
}

async function report({ journal }: Waas, is: (report: Report) => boolean): Promise<Report> {
  for (;;) {
    for (const entry of journal.entries) {
      if (entry.kind === "frame" && entry.frame.kind === "report" && is(entry.frame)) return entry.frame
    }
    await Bun.sleep(20)
  }
}

async function item(socket: string, name: string, state: string): Promise<void> {
  for (;;) {
    const answer = await fetch("http://node/readyz", { unix: socket }).then((response) => response.json())
    const { items } = answer as { items?: readonly { name: string; state: string }[] }
    if (items?.some((one) => one.name === name && one.state === state) === true) return
    await Bun.sleep(100)
  }
}
