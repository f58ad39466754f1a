/**
 * A text read in other ways: lists of numbers as the bytes they name, percent-encoded and escaped text as what it stands for,
 * base64, base64url, base58 and hex unpacked, and what comes out of that read again. So a secret is found in the JSON of an
 * event in the payload of a token in a form field, and in `Uint8Array(32) [ 1, 2, ...`.
 */
import { decodeBase58 } from "../../../src/keys/base58.ts"

/** How often what was unpacked is unpacked again. */
const DEPTH = 4

interface Way {
  readonly find: (text: string) => Iterable<string>
  readonly read: (found: string) => Uint8Array | undefined
}

const all =
  (pattern: RegExp) =>
  (text: string): readonly string[] =>
    text.match(pattern) ?? []

/** What stands between two ends and holds `mark`: looked for from the mark, because a pattern would try every beginning. */
const around = (mark: RegExp, end: RegExp) =>
  function* (text: string): Generator<string> {
    let from = 0
    for (const { index } of text.matchAll(mark)) {
      if (index < from) continue
      let begin = index
      while (begin > from && !end.test(text[begin - 1] ?? "")) begin--
      let behind = index
      while (behind < text.length && !end.test(text[behind] ?? "")) behind++
      yield text.slice(begin, behind)
      from = behind
    }
  }

const bytesOf = (numbers: readonly number[]): Uint8Array | undefined =>
  numbers.every((n) => n >= -128 && n <= 255) ? Uint8Array.from(numbers, (n) => n & 255) : undefined

const ESCAPE = /\\(?:u00([0-9a-fA-F]{2})|x([0-9a-fA-F]{2})|([0-7]{3})|([\s\S]))/g
const PLAIN: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", v: "\v", 0: "\0" }

/** Text with escapes as the characters it stands for, each of which was one byte. */
function unescaped(found: string): Uint8Array {
  const text = Buffer.from(found, "latin1").toString("utf8")
  const plain = text.replace(ESCAPE, (_, unicode?: string, hex?: string, octal?: string, letter?: string) => {
    const code = unicode ?? hex
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16))
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 255)
    return PLAIN[letter ?? ""] ?? letter ?? ""
  })
  return Buffer.from(plain, "latin1")
}

const percent = (found: string): Uint8Array =>
  Buffer.from(
    found.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  )

const WAYS: readonly Way[] = [
  {
    // 1, 2, 3 and 1 2 3, on one line or many
    find: all(/-?\d{1,3}(?:\s*,\s*-?\d{1,3}|\s+-?\d{1,3}){15,}/g),
    read: (found) => bytesOf((found.match(/-?\d+/g) ?? []).map(Number)),
  },
  {
    // {"0":1,"1":2}
    find: all(/"?\d+"?\s*:\s*\d{1,3}(?:\s*,\s*"?\d+"?\s*:\s*\d{1,3}){15,}/g),
    read: (found) => bytesOf([...found.matchAll(/:\s*(\d+)/g)].map(([, n]) => Number(n))),
  },
  {
    // <Buffer 01 02>, 01:02, 0x01, 0x02
    find: all(/[0-9a-fA-F]{2}(?:[\s:,-]+(?:0x)?[0-9a-fA-F]{2}){15,}(?![0-9a-fA-F])/g),
    read: (found) => Buffer.from(found.replaceAll(/0x|[^0-9a-fA-F]/g, ""), "hex"),
  },
  { find: around(/%[0-9a-fA-F]{2}/g, /[\s"'<>]/), read: percent },
  { find: around(/\\[\w"'\\]/g, /\n/), read: unescaped },
  {
    // lines of PEM and MIME
    find: all(/[A-Za-z0-9+/]{16,}(?:\r?\n[A-Za-z0-9+/]+)+/g),
    read: (found) => Buffer.from(found.replaceAll(/\s/g, ""), "latin1"),
  },
  { find: all(/[A-Za-z0-9+/_-]{24,}/g), read: (found) => Buffer.from(found, "base64") },
  { find: all(/(?:[0-9a-fA-F]{2}){24,}/g), read: (found) => Buffer.from(found, "hex") },
  { find: all(/[1-9A-HJ-NP-Za-km-z]{32,180}/g), read: (found) => decodeBase58(found) },
]

export interface Readings {
  readonly bytes: Uint8Array
  /** What was unpacked to get there, and in which way. */
  readonly unpacked: readonly string[]
}

/** What is in `known` is left out: node ids and tokens come a thousand times, and what they hold was looked at. */
export function readingsOf(text: Uint8Array, known: ReadonlySet<string>): Readings {
  const out: Uint8Array[] = []
  const unpacked = new Set<string>()
  unpack(text, DEPTH)
  return { bytes: Buffer.concat(out), unpacked: [...unpacked] }

  function unpack(uint8Array: Uint8Array, depth: number): void {
    const string = Buffer.from(uint8Array.buffer, uint8Array.byteOffset, uint8Array.byteLength).toString("latin1")
    for (const [way, { find, read }] of WAYS.entries()) {
      for (const found of find(string)) {
        const key = `${way} ${found}`
        if (known.has(key) || unpacked.has(key)) continue
        unpacked.add(key)
        const bytes = read(found)
        if (bytes === undefined || bytes.length === 0) continue
        out.push(bytes, BETWEEN)
        if (depth > 1 && isText(bytes)) unpack(bytes, depth - 1)
      }
    }
  }
}

const BETWEEN = Buffer.from("\0\0")

/** Only text holds another encoding. */
function isText(bytes: Uint8Array): boolean {
  const strange = bytes.reduce(
    (count, byte) => (byte < 9 || (byte > 13 && byte < 32) || byte > 126 ? count + 1 : count),
    0,
  )
  return bytes.length >= 24 && strange * 8 < bytes.length
}
