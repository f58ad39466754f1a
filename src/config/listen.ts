/** Where the status port is, and who may ask: [status] read once, for the node and for `cosigner status` alike. */
import { createHash } from "node:crypto"
import { type Bytes, copy, utf8 } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { readPrivate, UnusableFile } from "../files.ts"
import { Secret } from "../secret.ts"

export type Listen =
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }

const MAX_PORT = 65_535
/** Of a socket's address on Linux, without its last byte. */
const MAX_SOCKET_PATH = 107

/** `127.0.0.1:11040`, `localhost:...`, `[::1]:...` or `unix:PATH`. Port 0 takes a free one. Throws E-STA-002. */
export function parseListen(listen: string): Listen {
  const refuse = (problem: string): never => {
    throw new CosignerError("E-STA-002", { listen, problem })
  }
  if (listen.startsWith("unix:")) {
    const path = listen.slice("unix:".length)
    if (path === "" || Buffer.byteLength(path) > MAX_SOCKET_PATH) return refuse("the path is empty or too long")
    return { kind: "unix", path }
  }
  const found = /^(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/.exec(listen)
  const [, host, digits] = found ?? []
  if (host === undefined || Number(digits) > MAX_PORT) return refuse("it is no address of this machine alone")
  return {
    kind: "tcp",
    hostname: host === "localhost" ? "127.0.0.1" : host.replaceAll(/[[\]]/g, ""),
    port: Number(digits),
  }
}

const MAX_TOKEN_FILE = 1024
const TOKEN = /^[\x21-\x7e]{16,512}$/

/** One line; the caller disposes it. Throws E-STA-003. */
export function readToken(path: string): Secret {
  const refuse = (problem: string): never => {
    throw new CosignerError("E-STA-003", { path, problem })
  }
  try {
    using file = readPrivate(path, MAX_TOKEN_FILE)
    const text = Buffer.from(file.expose())
      .toString("utf8")
      .replace(/\r?\n$/, "")
    if (!TOKEN.test(text)) return refuse("it is not one line of 16 to 512 visible characters")
    return Secret.take(utf8(text))
  } catch (error) {
    if (error instanceof UnusableFile) return refuse(error.message)
    throw error
  }
}

/** All that the port keeps of a token. Digests have one length, whatever is guessed. */
export const digestOf = (token: Uint8Array): Bytes => copy(createHash("sha256").update(token).digest())
