/**
 * Compares a reading with the messages that a task asks to sign: they must be exactly those that the payload asks of this key, each
 * over exactly the bytes that were computed from the payload. WaaS uses the same code to fill in hashes that callers left out.
 */
import { type Bytes, equal } from "../bytes.ts"
import { formatPath } from "../keys/path.ts"
import { problem } from "./problem.ts"
import type { Problem, Reading } from "./reading.ts"

/** One message of the task that names the payload; `hash` is what the task asks to sign. */
export interface Claimed {
  readonly path: readonly number[]
  readonly input?: number
  readonly hash: Uint8Array
}

interface Place {
  readonly path: readonly number[]
  readonly input?: number
}

/** Undefined if the task asks exactly for what the reading signs; otherwise the first difference. */
export function check(reading: Reading, claimed: readonly Claimed[]): Problem | undefined {
  const left = new Map<string, Bytes>()
  for (const { path, input, bytes } of reading.signs) {
    if (path === undefined) return problem("E-INT-006", "messages", "the payload was read without a key")
    const name = nameOf(input === undefined ? { path } : { path, input })
    if (left.has(name)) return problem("E-INT-006", name, "the payload asks for it twice")
    left.set(name, bytes)
  }
  for (const message of claimed) {
    const name = nameOf(message)
    const bytes = left.get(name)
    if (bytes === undefined)
      return problem("E-INT-006", name, "the payload does not ask for it, or it is asked for twice")
    if (!equal(bytes, message.hash)) return problem("E-INT-005", name, "its hash is not the one of the payload")
    left.delete(name)
  }
  for (const name of left.keys()) return problem("E-INT-006", name, "the payload needs it, and the task leaves it out")
  return undefined
}

/** What the message at `path` (and `input`) signs, or undefined if the payload does not ask for it. */
export const bytesFor = (reading: Reading, place: Place): Bytes | undefined =>
  reading.signs.find(
    ({ path, input }) =>
      path !== undefined && nameOf(input === undefined ? { path } : { path, input }) === nameOf(place),
  )?.bytes

const nameOf = ({ path, input }: Place): string =>
  input === undefined ? formatPath(path) : `${formatPath(path)} input ${input}`
