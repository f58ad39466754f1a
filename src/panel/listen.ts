/** The address of a listener for people, which must be on this machine, and its token, of which only the digest is kept. */
import { createHash } from "node:crypto"
import { type Bytes, copy, utf8 } from "../bytes.ts"
import { readPrivate, UnusableFile } from "../files.ts"
import { Secret } from "../secret.ts"

export type Listen =
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string }

const MAX_PORT = 65_535
/** Length of a socket's address on Linux, without its last byte. */
const MAX_SOCKET_PATH = 107

/** `127.0.0.1:11040`, `localhost:...`, `[::1]:...` or `unix:PATH`; port 0 takes a free one. For other text returns why it is none of them. */
export function listenIn(text: string): Listen | string {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length)
    if (path === "" || Buffer.byteLength(path) > MAX_SOCKET_PATH) return "the path is empty or too long"
    return { kind: "unix", path }
  }
  const [, host, digits] = /^(127\.0\.0\.1|localhost|\[::1\]):(\d{1,5})$/.exec(text) ?? []
  if (host === undefined || Number(digits) > MAX_PORT) return "it is no address of this machine alone"
  return {
    kind: "tcp",
    hostname: host === "localhost" ? "127.0.0.1" : host.replaceAll(/[[\]]/g, ""),
    port: Number(digits),
  }
}

/** As the configuration writes it. */
export function listenText(listen: Listen, port = listen.kind === "tcp" ? listen.port : 0): string {
  if (listen.kind === "unix") return `unix:${listen.path}`
  return `${listen.hostname.includes(":") ? `[${listen.hostname}]` : listen.hostname}:${port}`
}

const MAX_TOKEN_FILE = 1024
const TOKEN = /^[\x21-\x7e]{16,512}$/

/** The one line of the file, which the caller disposes; or why the file cannot be used. */
export function tokenIn(path: string): Secret | string {
  try {
    using file = readPrivate(path, MAX_TOKEN_FILE)
    const text = Buffer.from(file.expose())
      .toString("utf8")
      .replace(/\r?\n$/, "")
    return TOKEN.test(text) ? Secret.take(utf8(text)) : "it is not one line of 16 to 512 visible characters"
  } catch (error) {
    if (error instanceof UnusableFile) return error.message
    throw error
  }
}

/** A listener keeps only this digest of a token. Digests have one length, whatever a client guesses. */
export const digestOf = (token: Uint8Array): Bytes => copy(createHash("sha256").update(token).digest())
