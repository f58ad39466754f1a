/**
 * Payloads of a signing request: fills in hashes that the caller left out, with the code by which nodes read payloads, and splits a
 * request into tasks. Nothing here is a security check: each node reads the payload itself and compares every hash.
 */
import { toHex } from "../../bytes.ts"
import { bytesFor } from "../../intent/check.ts"
import { read } from "../../intent/read.ts"
import { isProblem, type Problem, type Reading } from "../../intent/reading.ts"
import { parsePath } from "../../keys/path.ts"
import { contextOf, DEFAULT_INTENT_SETTINGS, intentKeyOf } from "../../tasks/intents.ts"
import { payloadBytes, type SignatureType, type SignMessage, type TaskPayload } from "../../wire/task.ts"
import { ApiFailure } from "../failure.ts"

/** A message as a caller asks for it: its hash may be left out if a payload determines it. */
export type AskedMessage = Omit<SignMessage, "msg_hash"> & { readonly msg_hash?: string }

const SIGNATURES = { 1: "ECDSA", 2: "EdDSA", 3: "Schnorr" } as const

/**
 * The messages, each with its hash. `chainsOf` says for which chains a path signs; absent: for the mainnet of its coin type. Throws 2003
 * for a message with neither hash nor payload, 2006 for a payload that cannot be read or does not ask for the message.
 */
export async function withHashes(
  messages: readonly AskedMessage[],
  payloads: readonly TaskPayload[],
  rootPubkey: string,
  signatureType: SignatureType,
  chainsOf = DEFAULT_INTENT_SETTINGS.chainsOf,
): Promise<readonly SignMessage[]> {
  const readings = new Map<number, Reading>()
  const filled: SignMessage[] = []
  for (const [index, asked] of messages.entries()) {
    const { payload, msg_hash } = asked
    if (msg_hash !== undefined) {
      filled.push({ ...asked, msg_hash })
      continue
    }
    const stated = payload === undefined ? undefined : payloads[payload]
    if (payload === undefined || stated === undefined) {
      throw new ApiFailure(2003, `body.messages.${index}.msg_hash: it may be left out only where a payload says it`)
    }
    const own = messages.filter((message) => message.payload === payload)
    const reading = readings.get(payload) ?? (await readingOf(stated, own, rootPubkey, signatureType, chainsOf))
    if (isProblem(reading)) throw unread(payload, reading)
    readings.set(payload, reading)
    filled.push({ ...asked, msg_hash: hashOf(reading, asked, index) })
  }
  return filled
}

async function readingOf(
  { format, data }: TaskPayload,
  messages: readonly AskedMessage[],
  rootPubkey: string,
  signatureType: SignatureType,
  chainsOf: typeof DEFAULT_INTENT_SETTINGS.chainsOf,
): Promise<Reading | Problem> {
  const settings = { ...DEFAULT_INTENT_SETTINGS, chainsOf }
  const context = contextOf(messages, SIGNATURES[signatureType], intentKeyOf(rootPubkey), settings)
  return "code" in context ? context : read({ format, data: payloadBytes(data) }, context)
}

function hashOf(reading: Reading, { bip32_path, input }: AskedMessage, index: number): string {
  const place = { path: parsePath(bip32_path), ...(input === undefined ? {} : { input }) }
  const bytes = bytesFor(reading, place)
  if (bytes === undefined) throw new ApiFailure(2006, `body.messages.${index}: its payload does not ask for it`)
  return `0x${toHex(bytes)}`
}

const unread = (index: number, { code, message, at }: Problem): ApiFailure =>
  new ApiFailure(
    2006,
    `body.payloads.${index}: ${code} ${message} (${at}); give msg_hash if nodes read more chains than WaaS`,
  )

/** The messages of one task, and the payloads that they name. */
interface Batch {
  readonly messages: readonly SignMessage[]
  readonly payloads: readonly TaskPayload[]
}

/**
 * Splits messages into tasks of at most `most` messages. The messages of one payload stay together, because a node signs all that a
 * payload asks for or nothing. Throws 2006 for a payload with more than `most` messages.
 */
export function batchesOf(
  messages: readonly SignMessage[],
  payloads: readonly TaskPayload[],
  most: number,
): readonly Batch[] {
  const batches: SignMessage[][] = []
  for (const group of unsplit(messages)) {
    if (group.length > most) {
      throw new ApiFailure(2006, `a payload asks for ${group.length} signatures, and one task makes ${most}; split it`)
    }
    const last = batches.at(-1)
    if (last !== undefined && last.length + group.length <= most) last.push(...group)
    else batches.push([...group])
  }
  return batches.map((batch) => withOwnPayloads(batch, payloads))
}

/** The messages grouped by payload, in the order of each group's first message; one without a payload is a group of its own. */
const unsplit = (messages: readonly SignMessage[]): Iterable<readonly SignMessage[]> =>
  Map.groupBy(messages, (message) => message.payload ?? message).values()

/** The batch with only the payloads that its messages name, which then name them by their new index. */
function withOwnPayloads(batch: readonly SignMessage[], payloads: readonly TaskPayload[]): Batch {
  const used = [...new Set(batch.flatMap(({ payload }) => payload ?? []))]
  return {
    messages: batch.map((message) =>
      message.payload === undefined ? message : { ...message, payload: used.indexOf(message.payload) },
    ),
    payloads: used.flatMap((index) => payloads[index] ?? []),
  }
}

/** Whether the text is base64 in its canonical form. */
export const isBase64 = (data: string): boolean => Buffer.from(data, "base64").toString("base64") === data
