/**
 * Payloads of a signing request at WaaS: hashes that the caller left out, worked out by the very code that nodes read with, and the
 * split of a request into tasks. Nothing here protects anybody: each node reads the payload itself and holds every hash against it.
 */
import { toHex } from "../../bytes.ts"
import { bytesFor } from "../../intent/check.ts"
import { read } from "../../intent/read.ts"
import { isProblem, type Problem, type Reading } from "../../intent/reading.ts"
import { parsePath } from "../../keys/path.ts"
import { contextOf, DEFAULT_INTENT_SETTINGS, intentKeyOf } from "../../tasks/intents.ts"
import { payloadBytes, type SignatureType, type SignMessage, type TaskPayload } from "../../wire/task.ts"
import { ApiFailure } from "../failure.ts"

/** A message as a caller asks for it: what is to be signed may be left to its payload. */
export type AskedMessage = Omit<SignMessage, "msg_hash"> & { readonly msg_hash?: string }

const SIGNATURES = { 1: "ECDSA", 2: "EdDSA", 3: "Schnorr" } as const

/** The messages with every hash; `chainsOf` says which chains a path signs for, its coin type's mainnet unless given. Throws 2006 for what has no payload to take it from, or one that cannot be read. */
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

/** What goes into one task. */
interface Batch {
  readonly messages: readonly SignMessage[]
  readonly payloads: readonly TaskPayload[]
}

/**
 * Tasks of at most `most` messages. The messages of one payload stay together, because a node signs all that a payload asks for or
 * nothing. Throws 2006 for a payload with more of them.
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

/** Messages in the order of their first, those of one payload together. */
const unsplit = (messages: readonly SignMessage[]): Iterable<readonly SignMessage[]> =>
  Map.groupBy(messages, (message) => message.payload ?? message).values()

/** Only the payloads that the batch names, counted anew. */
function withOwnPayloads(batch: readonly SignMessage[], payloads: readonly TaskPayload[]): Batch {
  const used = [...new Set(batch.flatMap(({ payload }) => payload ?? []))]
  return {
    messages: batch.map((message) =>
      message.payload === undefined ? message : { ...message, payload: used.indexOf(message.payload) },
    ),
    payloads: used.flatMap((index) => payloads[index] ?? []),
  }
}

/** Whether it is base64 in its one form. */
export const isBase64 = (data: string): boolean => Buffer.from(data, "base64").toString("base64") === data
