/** A WaaS that signs its answers as it should and says in them what a test wants, with a client's profile for it. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "../../src/bytes.ts"
import { Secret } from "../../src/secret.ts"
import { signedHash } from "../../src/waas/api/canonical.ts"
import { ed25519Signer } from "../../src/waas/apiKey.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { cli, type Outcome } from "./world.ts"

/** By method and path: `GET /wallets/mpc/vaults/v`. A function is asked with the request's body. */
export type Answers = Readonly<Record<string, unknown>>

export interface LyingWaas extends AsyncDisposable {
  /** The name of a new file with that text. */
  readonly file: (name: string, text: string | Uint8Array, mode?: number) => string
  /** A command with the profile. */
  readonly run: (...args: readonly string[]) => Promise<Outcome>
  readonly client: (...args: readonly string[]) => Promise<Outcome>
}

/** `more` is added to the profile. */
export function lyingWaas(answers: Answers, more = ""): LyingWaas {
  const folder = temporaryFolder("client")
  const signer = ed25519Signer(Secret.from(new Uint8Array(32).fill(2)))
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url)
      const answer = answers[`${request.method} ${pathname.replace("/v2", "")}`]
      const text = await request.text()
      const value = typeof answer === "function" ? answer(text === "" ? undefined : JSON.parse(text)) : answer
      const found = value ?? { error_code: 2028, error_message: `no ${pathname}`, error_id: "" }
      const [body, timestamp] = [JSON.stringify(found), String(Date.now())]
      const proof = toHex(signer.sign(signedHash(`${body}|${timestamp}`)))
      const headers = { "BIZ-TIMESTAMP": timestamp, "BIZ-RESP-SIGNATURE": proof }
      return new Response(body, { status: value === undefined ? 404 : 200, headers })
    },
  })
  const profile = join(folder.path, "client.toml")
  writeFileSync(join(folder.path, "client.key"), `${"07".repeat(32)}\n`, { mode: 0o600 })
  writeFileSync(
    profile,
    `[client]\nurl = "http://127.0.0.1:${server.port}"\nresponse_key = "${toHex(signer.publicKey)}"\napi_key_file = "client.key"\nvault = "v"\n${more}`,
  )
  return {
    file: (name, text, mode = 0o644) => {
      writeFileSync(folder.at(name), text, { mode })
      return folder.at(name)
    },
    run: (...args) => cli([...args, "--profile", profile]),
    client: (...args) => cli(["client", ...args, "--profile", profile]),
    async [Symbol.asyncDispose]() {
      await server.stop(true)
      folder[Symbol.dispose]()
    },
  }
}
