/** The flags of `start` that scripts of the published tool pass: each is taken, and says what its key says. */
import { expect, test } from "bun:test"
import { inSegments } from "../../src/cli/terminal.ts"
import { Secret } from "../../src/secret.ts"
import { cli } from "./world.ts"

const KEY = "ab".repeat(32)
const shown = async (...flags: readonly string[]) => {
  const { exit, stdout, stderr } = await cli(["config", "show", "--config", "/dev/null/none.toml", ...flags])
  return { exit, stdout, stderr }
}

/** Without a file the flags alone speak. */
async function keysWith(...flags: readonly string[]): Promise<readonly string[]> {
  const { exit, stdout, stderr } = await cli(["config", "show", ...flags])
  expect([exit, stderr]).toEqual([0, ""])
  return stdout.split("\n")
}

test.each<[readonly string[], string]>([
  [["--prod"], 'env = "production"'],
  [["--prod=true"], 'env = "production"'],
  [["--dev"], 'env = "development"'],
  [["--sandbox"], 'env = "sandbox"'],
  [["--sandbox=true", "--prod=false"], 'env = "sandbox"'],
  [["--ws-url", "wss://a.example/ws"], 'websocket.url = "wss://a.example/ws"'],
  [["--waas-public-key", KEY], `websocket.waas_public_key = "${KEY}"`],
  [["--cb-address", "http://127.0.0.1:1/v2/check", "--cb-pubkey", "k"], 'callback.cb_server_v2[0].pubkey_path = "k"'],
  [["--cb-token-expire", "3"], "callback.token_expire_minutes = 3"],
  [["--cb-retry-times=7"], "callback.retry_times = 7"],
  [["--cb-sleep-seconds", "9"], "callback.sleep_seconds = 9"],
  [["--cb-request-timeout", "11"], "callback.request_timeout = 11"],
  [["--cb-monitor-interval", "1m"], 'callback.monitor_interval = "1m"'],
  [["--log-std-enable=false"], "log.std.enable = false"],
  [["--log-std-enable"], "log.std.enable = true"],
  [["--log-file-enable"], "log.file.enable = true"],
  [["--log-file-name", "x.log"], 'log.file.filename = "x.log"'],
  [["--log-file-maxsize", "5"], "log.file.maxsize = 5"],
  [["--log-file-max-backups", "2"], "log.file.max_backups = 2"],
  [["--db", "a.db"], 'db.path = "a.db"'],
  [["-d", "a.db"], 'db.path = "a.db"'],
  [["--key-file", "k"], 'db.key_file = "k"'],
  [["--password-segment"], 'env = "development"'],
])("%p is %p", async (flags, line) => {
  expect(await keysWith(...flags)).toContain(line)
})

test("a switch with another word, two environments and a key that is none are refused", async () => {
  expect((await cli(["config", "show", "--prod=maybe"])).stderr).toContain("E-CLI-002")
  expect((await cli(["config", "show", "--prod", "--dev"])).stderr).toContain("E-CLI-002")
  expect((await cli(["config", "show", "--waas-public-key", "abcd"])).stderr).toContain(
    "--waas-public-key: websocket.waas_public_key",
  )
  expect((await shown()).exit).toBe(2)
})

test("a password in parts is the parts, joined; an empty line ends it, and no part is kept", async () => {
  const typed = ["correct horse ", "battery", " staple", ""].map((part) => Secret.from(Buffer.from(part)))
  const parts = [...typed]
  const asked: string[] = []
  const ask = async (prompt: string) => {
    asked.push(prompt)
    return parts.shift() ?? Secret.from(new Uint8Array(0))
  }
  using password = await inSegments(ask, "Enter password: ")
  expect(Buffer.from(password.expose()).toString()).toBe("correct horse battery staple")
  expect(asked[1]).toBe("Enter password, part 2 (an empty line ends it): ")
  for (const part of typed) expect(() => part.expose()).toThrow()
  const long = async () => Secret.from(new Uint8Array(600).fill(1))
  await expect(inSegments(long, "x: ")).rejects.toMatchObject({ code: "E-CLI-007" })
})
