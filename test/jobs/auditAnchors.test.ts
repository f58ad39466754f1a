/** Checkpoints elsewhere: in a folder that only grows, by a command, by witnesses over HTTP; each may fail, and nothing waits for it. */
import { expect, test } from "bun:test"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseSigned, type SignedCheckpoint } from "../../src/audit/checkpoint.ts"
import { noteKeyText, signatureText } from "../../src/audit/note.ts"
import { witnessed } from "../../src/audit/witnessing.ts"
import { anchorsOf, keepAnchors, remoteWitnesses } from "../../src/jobs/auditAnchors.ts"
import { checkpointOf, LOG, leaves, witnessNo } from "../audit/world.ts"
import { logTo } from "../support/logTo.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const NOTHING = { anchor_command: [], witnesses: [] }

function signedOf(size: number, words?: string): SignedCheckpoint {
  const signed = parseSigned(checkpointOf(leaves(size, words)))
  if (signed === undefined) throw new Error("it is one")
  return signed
}

test("a folder gets a file for each size, and another tree of one size is told", async () => {
  const folder = join(temporaryFolder("anchors").path, "new", "anchors")
  const said: string[] = []
  const keeper = keepAnchors(
    anchorsOf({ ...NOTHING, anchor_folder: folder }),
    logTo((level) => said.push(level)),
  )
  for (const size of [3, 3, 12]) {
    keeper.put(signedOf(size))
    await keeper.idle()
  }
  expect(readdirSync(folder).sort()).toEqual([
    "cosigner_test-000000000003.checkpoint",
    "cosigner_test-000000000012.checkpoint",
  ])
  const path = join(folder, "cosigner_test-000000000012.checkpoint")
  expect(parseSigned(readFileSync(path, "utf8"))?.checkpoint.size).toBe(12)
  keeper.put(signedOf(3))
  await keeper.idle()
  expect([said, keeper.failing()]).toEqual([[], undefined])
  keeper.put(signedOf(12, "forked"))
  await keeper.idle()
  expect([said, keeper.failing()?.code]).toEqual([["error"], "E-AUD-010"])
})

test("a folder that does not answer holds nobody up, and that is told", async () => {
  const { path: above } = temporaryFolder("anchors")
  const folder = join(above, "anchors")
  mkdirSync(folder)
  const path = join(folder, "cosigner_test-000000000003.checkpoint")
  // What has the name is a pipe: to read it waits until somebody writes.
  await Bun.spawn(["mkfifo", path]).exited
  const [folderAnchor] = anchorsOf({ ...NOTHING, anchor_folder: folder })
  if (folderAnchor === undefined) throw new Error("it is one")
  const got: number[] = []
  const other = { name: "other", put: async ({ checkpoint }: SignedCheckpoint) => void got.push(checkpoint.size) }
  const keeper = keepAnchors(
    [folderAnchor, other],
    logTo(() => {}),
  )
  keeper.put(signedOf(3))
  const idle = keeper.idle()
  await new Promise((resolve) => setImmediate(resolve))
  expect(keeper.failing()).toBeUndefined()
  keeper.put(signedOf(4))
  expect([got, keeper.failing()?.message]).toEqual([[3, 4], expect.stringContaining("still at the checkpoint before")])
  await Bun.spawn(["sh", "-c", 'echo another > "$0"', path]).exited
  await idle
  expect(keeper.failing()?.message).toContain("another checkpoint of that size is there")
  expect(readdirSync(folder)).toEqual(["cosigner_test-000000000003.checkpoint"])
})

test("a command gets it on its standard input; while it fails that is said once, and it is tried again", async () => {
  const { path } = temporaryFolder("anchors")
  const command = join(path, "anchor")
  writeFileSync(command, `#!/bin/sh\n[ -d ${path}/there ] || exit 3\ncat > ${path}/got\n`, { mode: 0o700 })
  const said: string[] = []
  const keeper = keepAnchors(
    anchorsOf({ ...NOTHING, anchor_command: [command] }),
    logTo((level) => said.push(level)),
  )
  for (const size of [1, 2]) {
    keeper.put(signedOf(size))
    await keeper.idle()
  }
  expect([said, keeper.failing()?.message]).toEqual([["error"], expect.stringContaining("ended with 3")])
  mkdirSync(join(path, "there"))
  keeper.put(signedOf(2))
  await keeper.idle()
  expect([said, keeper.failing()]).toEqual([["error", "info"], undefined])
  expect(readFileSync(join(path, "got"), "utf8")).toBe(checkpointOf(leaves(2)))
})

test("a witness over HTTP is asked as C2SP has it", async () => {
  const witness = witnessNo(1)
  const asked: string[] = []
  using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      asked.push(`${request.method} ${new URL(request.url).pathname}`)
      const made = witnessed(await request.text(), LOG.key, undefined)
      if (made.status !== 200) return new Response("7\n", { status: made.status })
      return new Response(signatureText(witness.sign(made.signed.note.text, 5_000)))
    },
  })
  const config = {
    ...NOTHING,
    witnesses: [{ url: `http://127.0.0.1:${server.port}/w/`, key: noteKeyText(witness.key) }],
  }
  const [remote] = remoteWitnesses(config, fetch)
  const answer = await remote?.ask(`old 0\n\n${checkpointOf(leaves(3))}`)
  expect([asked, answer?.status]).toEqual([["POST /w/add-checkpoint"], 200])
  expect(answer?.text).toStartWith(`— ${witness.key.name} `)
  expect(await remote?.ask("nonsense")).toEqual({ status: 400, text: "7\n" })
})
