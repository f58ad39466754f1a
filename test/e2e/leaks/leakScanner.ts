/**
 * The leakScanner: keeps a copy of everything that leaves a set of processes, learns which secrets they had, and says in the end
 * whether any of it held any of them. Where a secret belongs is an exception, by name and with its reason. A leakScanner that
 * heard nothing has proven nothing: each channel has a text that must have been on it, found by the same search.
 */

import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from "node:fs"
import { join, relative } from "node:path"
import { temporaryFolder } from "../../support/temporaryFolder.ts"
import { type Canary, needlesOf } from "./needles.ts"
import { readingsOf } from "./readings.ts"
import { type Match, searchFor } from "./search.ts"

/** A place where a secret is meant to be. */
export interface Exception {
  readonly channel: string
  readonly source: RegExp
  readonly secret: RegExp
  readonly why: string
}

/** What must have passed on a channel, because it does whenever anything works. At least 16 bytes. */
export interface Known {
  readonly channel: string
  readonly what: string
  readonly text: string | Uint8Array
}

export interface Finding {
  readonly channel: string
  readonly source: string
  readonly secret: string
  readonly form: string
  /** How many bytes of that form stood there, and what stood around them. */
  readonly length: number
  readonly around: string
}

export interface Judgement {
  readonly findings: readonly Finding[]
  /** Channels on which what is known to pass was not found. */
  readonly deaf: readonly string[]
  readonly secrets: number
  readonly bytes: number
  readonly ms: number
}

/** More than this is not a test's traffic; and it has to be read again. */
const MOST_BYTES = 512 * 1024 * 1024
const AROUND = 40

interface Source {
  readonly channel: string
  readonly source: string
  readonly file: string
  readonly fd: number
}

export class LeakScanner implements Disposable {
  readonly #folder = temporaryFolder("leakScanner").path
  readonly #sources = new Map<string, Source>()
  readonly #secrets = new Map<string, Canary>()
  readonly #exceptions: Exception[] = []
  readonly #known: Known[] = []
  #bytes = 0

  /** A secret of these processes; told twice, it is one. */
  secret(name: string, bytes: Uint8Array | string): void {
    const copy = typeof bytes === "string" ? Buffer.from(bytes, "utf8") : Uint8Array.from(bytes)
    this.#secrets.set(`${name} ${Buffer.from(copy).toString("base64")}`, { name, bytes: copy })
  }

  except(...exceptions: readonly Exception[]): void {
    this.#exceptions.push(...exceptions)
  }

  expect(...known: readonly Known[]): void {
    this.#known.push(...known)
  }

  /** A piece of what passed. Pieces of one source are read as one text, in the order in which they came. */
  hear(channel: string, source: string, piece: Uint8Array | string): void {
    const of = this.#sourceOf(channel, source)
    this.#bytes += writeSync(of.fd, typeof piece === "string" ? Buffer.from(piece, "utf8") : piece)
    if (this.#bytes > MOST_BYTES) throw new Error(`the leakScanner heard more than ${MOST_BYTES} bytes`)
  }

  /** Every file below a folder, as it is now. */
  hearFolder(channel: string, folder: string): void {
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      this.hear(channel, relative(folder, path), readFileSync(path))
    }
  }

  judge(): Judgement {
    const begun = performance.now()
    const secrets = [...this.#secrets.values()]
    const search = searchFor(secrets.flatMap(needlesOf))
    const known = this.#known.map((known) => ({
      ...known,
      find: searchFor(needlesOf({ name: known.what, bytes: bytesOf(known.text) })),
    }))
    const heard = new Set<(typeof known)[number]>()
    const findings: Finding[] = []
    const clean = new Set<string>()
    for (const { channel, source, file } of this.#sources.values()) {
      const text = readFileSync(file)
      const { bytes, unpacked } = readingsOf(text, clean)
      for (const of of known) {
        if (of.channel === channel && [text, bytes].some((one) => of.find(one).length > 0)) heard.add(of)
      }
      const matches = [text, bytes].map((one) => search(one).map((match) => findingOf(channel, source, match, one)))
      findings.push(...matches.flat().filter((found) => !this.#isExcepted(found)))
      // what held something, even where it may, is looked at again wherever it comes
      if (matches[1]?.length === 0) for (const one of unpacked) clean.add(one)
    }
    return {
      findings,
      deaf: known.filter((of) => !heard.has(of)).map(({ channel, what }) => `${channel}: ${what}`),
      secrets: secrets.length,
      bytes: this.#bytes,
      ms: Math.round(performance.now() - begun),
    }
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#sources.values()) closeSync(fd)
    this.#sources.clear()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #isExcepted({ channel, source, secret }: Finding): boolean {
    return this.#exceptions.some(
      (exception) => exception.channel === channel && exception.source.test(source) && exception.secret.test(secret),
    )
  }

  #sourceOf(channel: string, source: string): Source {
    const key = `${channel}\0${source}`
    const known = this.#sources.get(key)
    if (known !== undefined) return known
    const file = join(this.#folder, String(this.#sources.size))
    const made = { channel, source, file, fd: openSync(file, "wx", 0o600) }
    this.#sources.set(key, made)
    return made
  }
}

const bytesOf = (text: string | Uint8Array): Uint8Array => (typeof text === "string" ? Buffer.from(text, "utf8") : text)

function findingOf(channel: string, source: string, { secret, form, at, length }: Match, text: Uint8Array): Finding {
  const before = text.subarray(Math.max(0, at - AROUND), at)
  const behind = text.subarray(at + length, at + length + AROUND)
  const around = `${printable(before)}[...]${printable(behind)}`
  return { channel, source, secret, form, length, around }
}

/** Words and no more: what is longer may be the rest of a secret, or another one. */
const printable = (bytes: Uint8Array): string =>
  Buffer.from(bytes)
    .toString("latin1")
    .replaceAll(/[^\x20-\x7e]/g, ".")
    .replaceAll(/[\w+/=]{12,}/g, "~")

/** Throws what a judgement found; returns it when there is nothing. */
export function acquit(judgement: Judgement): Judgement {
  const { findings, deaf } = judgement
  if (findings.length === 0 && deaf.length === 0) return judgement
  const lines = [
    ...deaf.map((name) => `nothing was heard on ${name}`),
    ...findings.map(
      ({ channel, source, secret, form, length, around }) =>
        `${secret} as ${form} (${length}) on ${channel} ${source}: ${around}`,
    ),
  ]
  throw new Error(`the leakScanner:\n  ${[...new Set(lines)].slice(0, 50).join("\n  ")}`)
}
