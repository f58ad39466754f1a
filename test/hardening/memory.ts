/**
 * The memory of a running process, page by page, searched for byte strings. Linux; needs the right to read /proc/PID/mem, which a
 * hardened node leaves to root alone.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs"

const PAGE = 4096
/** Read at a time; the last bytes of one piece are looked at again with the next. */
const PIECE = 1 << 22
/** Entries of the page map read at a time. */
const ENTRIES = 1 << 16
const PRESENT = 0x80
const SWAPPED = 0x40

interface Range {
  readonly from: number
  readonly to: number
}

/** How often each needle is in the writable memory of the process. Throws what the kernel says where it may not be read. */
export function countIn(pid: number, needles: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, number> {
  const found = new Map([...needles.keys()].map((name) => [name, 0]))
  const longest = Math.max(...[...needles.values()].map(({ length }) => length))
  const memory = openSync(`/proc/${pid}/mem`, "r")
  const pages = openSync(`/proc/${pid}/pagemap`, "r")
  try {
    const buffer = Buffer.alloc(PIECE)
    for (const range of writable(pid).flatMap((mapping) => residentParts(pages, mapping))) {
      for (let at = range.from; at < range.to; at += PIECE - longest + 1) {
        const length = readOr0(memory, buffer, Math.min(PIECE, range.to - at), at)
        for (const [name, needle] of needles) {
          const whole = buffer.subarray(0, length)
          for (let hit = whole.indexOf(needle); hit >= 0; hit = whole.indexOf(needle, hit + 1)) {
            // What lies whole in the overlap is found again with the next piece.
            const isAgain = at + length < range.to && hit >= PIECE - longest + 1
            if (!isAgain) found.set(name, (found.get(name) ?? 0) + 1)
          }
        }
        if (at + length >= range.to) break
      }
    }
    buffer.fill(0)
    return found
  } finally {
    closeSync(memory)
    closeSync(pages)
  }
}

const CAP_SYS_PTRACE = 19n

/** Undefined where the memory of any process can be read; otherwise why not. */
export function whyUnreadable(): string | undefined {
  if (process.platform !== "linux") return `there is no /proc/PID/mem on ${process.platform}`
  const [, hex = "0"] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? []
  const mayTrace = ((BigInt(`0x${hex}`) >> CAP_SYS_PTRACE) & 1n) === 1n
  return mayTrace ? undefined : "this process lacks CAP_SYS_PTRACE, and nodes take tracing by their own user away"
}

function writable(pid: number): readonly Range[] {
  const lines = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n")
  return lines.flatMap((line) => {
    const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
    return from === undefined || to === undefined
      ? []
      : [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }]
  })
}

/** Runs of pages that are in memory or in swap: the runtime reserves gigabytes that never were. */
function residentParts(pages: number, { from, to }: Range): readonly Range[] {
  const parts: Range[] = []
  const entries = Buffer.alloc(8 * ENTRIES)
  let begun: number | undefined
  for (let at = from; at < to; at += ENTRIES * PAGE) {
    const count = Math.min(ENTRIES, (to - at) / PAGE)
    const read = readSync(pages, entries, 0, 8 * count, (at / PAGE) * 8) / 8
    for (let i = 0; i < read; i++) {
      const isThere = ((entries[8 * i + 7] ?? 0) & (PRESENT | SWAPPED)) !== 0
      if (isThere) begun ??= at + i * PAGE
      else if (begun !== undefined) {
        parts.push({ from: begun, to: at + i * PAGE })
        begun = undefined
      }
    }
  }
  return begun === undefined ? parts : [...parts, { from: begun, to }]
}

/** 0 for pages that went away meanwhile. */
function readOr0(memory: number, into: Buffer, length: number, at: number): number {
  try {
    return readSync(memory, into, 0, length, at)
  } catch {
    into.fill(0, 0, length)
    return length
  }
}
