/**
 * A password typed on the controlling terminal, without echo, as bytes that are wiped. The terminal is polled and
 * not read through a stream: a closed stream still has a read under way, which would swallow the next answer.
 */
import { constants, openSync, readSync, writeSync } from "node:fs"
import { ReadStream } from "node:tty"
import { type Bytes, copy } from "../bytes.ts"
import { MOST_BYTES } from "../config/keyFile.ts"
import { CosignerError } from "../errors.ts"
import { Secret } from "../secret.ts"

const ENTER = new Set([0x0a, 0x0d])
const BACKSPACE = new Set([0x7f, 0x08])
const CTRL_C = 0x03
const CTRL_D = 0x04
const CTRL_U = 0x15

const POLL_MS = 15
/** Signals that end the wait: the terminal gets its echo back before the process ends. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const

/** Asks on the controlling terminal, whatever stdin and stdout are, and does not show what is typed. */
export const askTerminal = (prompt: string): Promise<Secret> => typedLine(prompt, true)

/** Like `askTerminal`, but shows what is typed. True if it is `yes`. */
export async function confirmTerminal(prompt: string): Promise<boolean> {
  using typed = await typedLine(prompt, false)
  return Buffer.from(typed.expose()).toString("latin1").trim().toLowerCase() === "yes"
}

async function typedLine(prompt: string, isHidden: boolean): Promise<Secret> {
  const fd = openTerminal()
  const terminal = new ReadStream(fd)
  const line = new TypedLine()
  const ended = new AbortController()
  const end = () => ended.abort()
  for (const signal of ENDING) process.once(signal, end)
  try {
    // Set before the prompt, so that an immediate answer is not shown.
    terminal.setRawMode(isHidden)
    writeSync(fd, prompt)
    while (!line.take(readTerminal(fd))) {
      if (ended.signal.aborted) throw new CosignerError("E-CLI-008", {})
      await Bun.sleep(POLL_MS)
    }
    return line.password()
  } finally {
    for (const signal of ENDING) process.removeListener(signal, end)
    line.wipe()
    terminal.setRawMode(false)
    if (isHidden) writeSync(fd, "\n")
    terminal.destroy()
  }
}

/** One password typed in parts, one line each, until an empty line; the parts are joined as they are. */
export async function inSegments(ask: (prompt: string) => Promise<Secret>, prompt: string): Promise<Secret> {
  const words = prompt.replace(/:\s*$/, "")
  const joined: Bytes = new Uint8Array(MOST_BYTES)
  let length = 0
  try {
    for (let part = 1; ; part++) {
      using typed = await ask(`${words}, part ${part} (an empty line ends it): `)
      if (typed.length === 0) return Secret.from(joined.subarray(0, length))
      if (length + typed.length > MOST_BYTES) throw new CosignerError("E-CLI-007", TOO_LONG)
      joined.set(typed.expose(), length)
      length += typed.length
    }
  } finally {
    joined.fill(0)
  }
}

const TOO_LONG = { path: "the terminal", why: `the parts are longer than ${MOST_BYTES} bytes together` }

function openTerminal(): number {
  try {
    return openSync("/dev/tty", constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK)
  } catch (cause) {
    throw new CosignerError("E-CLI-004", { where: "/dev/tty cannot be opened" }, { cause })
  }
}

const NOTHING: Bytes = new Uint8Array(0)

/** What was typed since the last call; empty if nothing was typed. */
function readTerminal(fd: number): Uint8Array {
  const chunk = new Uint8Array(MOST_BYTES)
  try {
    const length = readSync(fd, chunk)
    if (length === 0) throw new CosignerError("E-CLI-008", {})
    return chunk.subarray(0, length)
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    if (code === "EAGAIN" || code === "EINTR") return NOTHING
    // the terminal is gone
    if (code === "EIO") throw new CosignerError("E-CLI-008", {}, { cause: error })
    throw error
  }
}

/** The line being typed, as bytes, because a JavaScript string could not be wiped. */
export class TypedLine {
  #bytes: Bytes = new Uint8Array(MOST_BYTES)
  #length = 0

  /** True once the line is complete. The rest of the chunk is dropped: a pasted second line is not an answer. */
  take(chunk: Uint8Array): boolean {
    try {
      for (const byte of chunk) {
        if (ENTER.has(byte) || (byte === CTRL_D && this.#length > 0)) return true
        if (byte === CTRL_C || byte === CTRL_D) throw new CosignerError("E-CLI-008", {})
        if (byte === CTRL_U) this.#length = 0
        else if (BACKSPACE.has(byte)) this.#back()
        else if (this.#length < MOST_BYTES) this.#bytes[this.#length++] = byte
      }
      return false
    } finally {
      chunk.fill(0)
    }
  }

  password(): Secret {
    return Secret.take(copy(this.#bytes.subarray(0, this.#length)))
  }

  wipe(): void {
    this.#bytes.fill(0)
    this.#length = 0
  }

  /** Deletes one character: its continuation bytes and its first byte. */
  #back(): void {
    while (this.#length > 0 && ((this.#bytes[--this.#length] ?? 0) & 0xc0) === 0x80);
  }
}
