/** The signing key behind a command: what it answers is checked before it is used, and it is bounded in time, output and number. */
import { afterAll, expect, test } from "bun:test"
import { generateKeyPairSync } from "node:crypto"
import { chmodSync, readFileSync, writeFileSync } from "node:fs"
import { copy, toHex, utf8 } from "../../src/bytes.ts"
import { verifyEd25519 } from "../../src/crypto/ed25519.ts"
import { rawPublicKey } from "../../src/crypto/rawKeys.ts"
import type { Log } from "../../src/log.ts"
import { silentLog } from "../../src/log.ts"
import { FramesInOrder, signedOnce } from "../../src/waas/engine/framesInOrder.ts"
import { createKeyFile, filesIn, readKeyFile } from "../../src/waas/files.ts"
import { waasKeys } from "../../src/waas/keyCommand.ts"
import type { ToNode } from "../../src/wire/frames.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const folder = temporaryFolder("keycommand")
afterAll(() => folder[Symbol.dispose]())
const files = { dir: folder.path, key: folder.at("waas.key"), config: "", database: "", lock: "" }
createKeyFile(files)

const { privateKey } = generateKeyPairSync("ed25519")
const publicKey = rawPublicKey(privateKey)
const other = generateKeyPairSync("ed25519").privateKey
writeFileSync(folder.at("key.pem"), privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 })
writeFileSync(folder.at("other.pem"), other.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 })

/** A command that signs as an HSM's would; `answer` says how it turns a signature into text. */
function command(name: string, sign: string, publicAnswer = JSON.stringify(toHex(publicKey))): readonly string[] {
  const script = folder.at(`${name}.mjs`)
  writeFileSync(
    script,
    `import { readFileSync, appendFileSync } from "node:fs"
import { createPrivateKey, sign } from "node:crypto"
const key = (name) => createPrivateKey(readFileSync(${JSON.stringify(folder.path)} + "/" + name))
const input = readFileSync(0)
if (process.argv.at(-1) === "public-key") console.log(${publicAnswer})
else { ${sign} }`,
  )
  return [process.execPath, script]
}

test.each([
  ["hex", `console.log(sign(null, input, key("key.pem")).toString("hex"))`],
  ["base64", `process.stdout.write(sign(null, input, key("key.pem")).toString("base64"))`],
])("a signature in %s is used", async (name, sign) => {
  const keys = await waasKeys({ keyCommand: command(name, sign) }, files)
  expect(keys.tasks.publicKey).toEqual(publicKey)
  const message = utf8("a task\0\n")
  const signature = await keys.tasks.sign(message)
  expect(verifyEd25519(publicKey, message, signature)).toBe(true)
  expect(keys.responses.publicKey).toEqual(readKeyFile(files).responses.publicKey)
})

test.each([
  ["another key's signature", `console.log(sign(null, input, key("other.pem")).toString("hex"))`, /does not verify/],
  [
    "a signature over something else",
    `console.log(sign(null, Buffer.from("x"), key("key.pem")).toString("hex"))`,
    /does not verify/,
  ],
  ["no signature", `console.log("ok")`, /not a signature of 64 bytes/],
  [
    "a word more",
    `console.log("sig: " + sign(null, input, key("key.pem")).toString("hex"))`,
    /not a signature of 64 bytes/,
  ],
  ["a failure", `console.error("SECRET"); process.exit(3)`, /ended with 3/],
  ["too much", `process.stdout.write("a".repeat(1 << 20))`, /more than 1024 bytes/],
])("%s is not", async (name, sign, why) => {
  const { tasks } = await waasKeys({ keyCommand: command(name.replaceAll(/\W/g, "-"), sign) }, files)
  const said = await Promise.resolve(tasks.sign(utf8("m"))).then(
    () => "signed",
    (error: Error) => error.message,
  )
  expect(said).toMatch(why)
  expect(said).not.toContain("SECRET")
})

test("without a public key, or a program, nothing starts", async () => {
  const bad = command("bad", "", JSON.stringify("00".repeat(32)))
  for (const keyCommand of [bad, [folder.at("none")]]) {
    await expect(waasKeys({ keyCommand }, files)).rejects.toMatchObject({ code: "E-WAA-075" })
  }
})

test("a wrapper that hangs is ended with all that it waits for, and holds nobody up", async () => {
  const wrapper = folder.at("wrapper.sh")
  writeFileSync(wrapper, `#!/bin/sh\necho $$ > ${folder.at("pid")}\nsleep 100 | cat\n`)
  chmodSync(wrapper, 0o700)
  await expect(waasKeys({ keyCommand: [wrapper] }, files, 300)).rejects.toMatchObject({
    code: "E-WAA-075",
    data: { problem: "it did not answer within 0.3 s" },
  })
  const group = Number(readFileSync(folder.at("pid"), "utf8"))
  const isLeft = () => {
    try {
      return process.kill(-group, 0)
    } catch {
      return false
    }
  }
  while (isLeft()) await Bun.sleep(2)
})

test("so many processes at one time for tasks; who dials has a row of its own", async () => {
  const running = `
  const { mkdirSync, readdirSync, rmdirSync } = await import("node:fs")
  const at = ${JSON.stringify(folder.path)} + "/running"
  mkdirSync(at, { recursive: true })
  const own = at + "/" + process.pid
  mkdirSync(own)
  appendFileSync(${JSON.stringify(folder.at("most"))}, readdirSync(at).length + "\\n")
  await new Promise((resolve) => setTimeout(resolve, 50))
  rmdirSync(own)
  console.log(sign(null, input, key("key.pem")).toString("hex"))`
  const { tasks } = await waasKeys({ keyCommand: command("slow", running) }, files)
  const messages = Array.from({ length: 10 }, (_, i) => utf8(`m${i}`))
  const signatures = await Promise.all(messages.map((message) => tasks.sign(message)))
  expect(
    messages.every((message, i) => verifyEd25519(publicKey, message, copy(signatures[i] ?? new Uint8Array()))),
  ).toBe(true)
  const most = (await Bun.file(folder.at("most")).text()).trim().split("\n").map(Number)
  expect(most.length).toBe(10)
  expect(Math.max(...most)).toBeLessThanOrEqual(6)
}, 20_000)

test("frames leave in the order in which they were said, though signatures come in another", async () => {
  const sent: string[] = []
  const errors: string[] = []
  const log: Log = { ...silentLog, error: (text) => void errors.push(text) }
  const frames = new FramesInOrder(
    { send: (nodeId, frame) => void sent.push(`${nodeId} ${frame.kind === "outcomeStored" ? frame.taskId : ""}`) },
    log,
  )
  const frame = (taskId: string): ToNode => ({ kind: "outcomeStored", taskId })
  const slow = Promise.withResolvers<ToNode>()
  const fast = Promise.withResolvers<ToNode>()
  const failing = Promise.withResolvers<ToNode>()
  frames.send("a", slow.promise)
  frames.send("a", fast.promise)
  frames.send("a", frame("3"))
  frames.send("b", frame("1"))
  frames.send("a", failing.promise)
  frames.send("a", frame("4"))
  fast.resolve(frame("2"))
  await Bun.sleep(0)
  expect(sent).toEqual(["b 1"])
  failing.reject(new Error("no"))
  slow.resolve(frame("1"))
  await Bun.sleep(0)
  expect(sent).toEqual(["b 1", "a 1", "a 2", "a 3", "a 4"])
  expect(errors).toEqual(["a frame could not be signed"])
  frames.send("a", frame("5"))
  expect(sent.at(-1)).toBe("a 5")
})

test("a start for several nodes is signed once", () => {
  let signed = 0
  const document = { document: utf8("d"), signature: utf8("s") }
  const documents = signedOnce({
    task: () => document,
    cancel: () => document,
    start() {
      signed++
      return document
    },
  })
  for (const attempt of [1, 1, 1]) documents.start({ task_id: "t", digest: "d", attempt })
  expect(signed).toBe(1)
})

test("a systemd credential stands above the file", () => {
  using credentials = temporaryFolder("credentials")
  const before = process.env["CREDENTIALS_DIRECTORY"]
  const own = readKeyFile(files).tasks.publicKey
  try {
    process.env["CREDENTIALS_DIRECTORY"] = credentials.path
    // A unit with other credentials than this one.
    expect(readKeyFile(filesIn(folder.path)).tasks.publicKey).toEqual(own)
    const { tasks } = createKeyFile({ ...files, key: credentials.at("waas-key") })
    // As systemd may hand it over; the file of the folder has to be private.
    chmodSync(credentials.at("waas-key"), 0o440)
    expect(readKeyFile(filesIn(folder.path)).tasks.publicKey).toEqual(tasks.publicKey)
  } finally {
    if (before === undefined) delete process.env["CREDENTIALS_DIRECTORY"]
    else process.env["CREDENTIALS_DIRECTORY"] = before
  }
})
