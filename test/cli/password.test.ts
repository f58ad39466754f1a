import { afterAll, describe, expect, test } from "bun:test"
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { CREDENTIAL, passwords } from "../../src/cli/password.ts"
import { TypedLine } from "../../src/cli/terminal.ts"
import { readKeyFile } from "../../src/config/keyFile.ts"
import { type Code, CosignerError } from "../../src/errors.ts"
import { Secret } from "../../src/secret.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const folder = temporaryFolder("password").path
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const GOOD = "correct horse battery staple"
let files = 0
function file(content: string | Uint8Array, mode = 0o600): string {
  const path = join(folder, `key${files++}`)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

const text = (secret: Secret): string => Buffer.from(secret.expose()).toString()
const secretOf = (text: string): Secret => Secret.from(Buffer.from(text))

async function codeOf(action: () => unknown): Promise<Code | undefined> {
  try {
    await action()
    return undefined
  } catch (error) {
    if (error instanceof CosignerError) return error.code
    throw error
  }
}

const nobodyAsked = async (): Promise<Secret> => {
  throw new Error("the terminal was asked")
}
const from = (env: Record<string, string>, ask = nobodyAsked) => passwords({ env, ask })
const KEY = (key_file: string | undefined) => ({ key_file, danger_allow_readable_key_file: false })

describe("a key file", () => {
  test("is the password, less one trailing newline", () => {
    expect(text(readKeyFile(file(GOOD)))).toBe(GOOD)
    expect(text(readKeyFile(file(`${GOOD}\n`)))).toBe(GOOD)
    expect(text(readKeyFile(file(`${GOOD}\r\n`)))).toBe(GOOD)
    expect(text(readKeyFile(file(`${GOOD}\n\n`)))).toBe(`${GOOD}\n`)
    expect(text(readKeyFile(file(` ${GOOD} `)))).toBe(` ${GOOD} `)
  })
  for (const mode of [0o644, 0o640, 0o604, 0o620, 0o601]) {
    test(`of mode ${mode.toString(8)} is refused, unless that is allowed by name`, async () => {
      const path = file(GOOD, mode)
      expect(await codeOf(() => readKeyFile(path))).toBe("E-CLI-007")
      expect(text(readKeyFile(path, { allowReadable: true }))).toBe(GOOD)
    })
  }
  test("may be stricter than 600", () => {
    expect(text(readKeyFile(file(GOOD, 0o400)))).toBe(GOOD)
  })
  test("may be a link, as those of mounted volumes are", () => {
    const link = join(folder, "link")
    symlinkSync(file(GOOD), link)
    expect(text(readKeyFile(link))).toBe(GOOD)
  })
  test("is no folder, no pipe, not empty, not endless, and there", async () => {
    const pipe = join(folder, "pipe")
    Bun.spawnSync(["mkfifo", "-m", "600", pipe])
    for (const path of [folder, pipe, file(""), file("\n"), file("x".repeat(1025)), join(folder, "none")]) {
      expect([path, await codeOf(() => readKeyFile(path, { allowReadable: true }))]).toEqual([path, "E-CLI-007"])
    }
    expect(readKeyFile(file(`${"x".repeat(1024)}\n`)).length).toBe(1024)
  })
})

describe("where a password comes from", () => {
  const credentials = join(folder, "credentials")
  mkdirSync(credentials)
  writeFileSync(join(credentials, CREDENTIAL), "from the credential", { mode: 0o440 })

  test("the key file, before the credential, before the terminal", async () => {
    const env = { CREDENTIALS_DIRECTORY: credentials }
    expect(text(await from(env).existing(KEY(file(GOOD))))).toBe(GOOD)
    expect(text(await from(env).existing(KEY(undefined)))).toBe("from the credential")
    const ask = async () => secretOf("typed")
    expect(text(await from({}, ask).existing(KEY(undefined)))).toBe("typed")
    expect(text(await from({ CREDENTIALS_DIRECTORY: folder }, ask).existing(KEY(undefined)))).toBe("typed")
  })
  test("a key file that cannot be used is not passed over", async () => {
    const env = { CREDENTIALS_DIRECTORY: credentials }
    expect(await codeOf(() => from(env).existing(KEY(file(GOOD, 0o644))))).toBe("E-CLI-007")
  })
})

describe("a new password", () => {
  const typed = (...answers: readonly string[]) => {
    const left = [...answers]
    return async () => secretOf(left.shift() ?? "")
  }
  test("is typed twice, the same", async () => {
    expect(text(await from({}, typed(GOOD, GOOD)).fresh(KEY(undefined)))).toBe(GOOD)
    expect(await codeOf(() => from({}, typed(GOOD, `${GOOD}!`)).fresh(KEY(undefined)))).toBe("E-CLI-006")
  })
  test("has 16 characters, not bytes, wherever it comes from", async () => {
    const short = "é".repeat(15)
    expect(await codeOf(() => from({}, typed(short, short)).fresh(KEY(undefined)))).toBe("E-CLI-005")
    expect(await codeOf(() => from({}).fresh(KEY(file(short))))).toBe("E-CLI-005")
    expect((await from({}).fresh(KEY(file("é".repeat(16))))).length).toBe(32)
  })
})

describe("a line on the terminal", () => {
  const line = (...chunks: readonly string[]): string | undefined => {
    const typing = new TypedLine()
    for (const chunk of chunks) if (typing.take(Buffer.from(chunk))) return text(typing.password())
    return undefined
  }
  test("ends at Enter, and what follows is dropped", () => {
    expect(line("abc", "def\rghi\r")).toBe("abcdef")
    expect(line("abc")).toBeUndefined()
    expect(line("\n")).toBe("")
  })
  test("backspace takes one character, also of several bytes, and none from nothing", () => {
    expect(line("aé€\u007f\u007fb\r")).toBe("ab")
    expect(line("\u007f\u007fb\r")).toBe("b")
    expect(line("abc\u0015d\r")).toBe("d")
  })
  test("Ctrl-C, and Ctrl-D on an empty line, give up", async () => {
    expect(await codeOf(() => line("ab\u0003"))).toBe("E-CLI-008")
    expect(await codeOf(() => line("\u0004"))).toBe("E-CLI-008")
    expect(line("ab\u0004")).toBe("ab")
  })
  test("is wiped from what was read, and is no longer than 1024 bytes", () => {
    const chunk = Buffer.from("secret\r")
    new TypedLine().take(chunk)
    expect(chunk.every((byte) => byte === 0)).toBe(true)
    expect(line(`${"x".repeat(5000)}\r`)?.length).toBe(1024)
    expect(line(`${"x".repeat(1030)}\u007f\r`)?.length).toBe(1023)
  })
})
