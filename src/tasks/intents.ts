/**
 * What the payloads of a task will do, as this node reads them: turns the task's document into readings, each checked against the messages
 * that belong to it. The result is all readings, or one problem with its code. Rules decide whether what was read is allowed.
 *
 * A payload comes from one of three places: the task's `payloads` (version 2); the message itself, because EdDSA signs the message and on a
 * Solana path that is a transaction; or the vendor's records (formats.md 11). Everything else that a task states is only compared.
 */
import { type Bytes, fromHex, toHex } from "../bytes.ts"
import { type CurveName, curveNamed } from "../crypto/curve.ts"
import { H } from "../crypto/frame.ts"
import { CosignerError } from "../errors.ts"
import { namespaceOf } from "../intent/caip.ts"
import { type Claimed, check } from "../intent/check.ts"
import type { Asked, Context, Settings } from "../intent/decoder.ts"
import { intentHashText } from "../intent/hash.ts"
import { type JsonBounds, readingJson } from "../intent/json.ts"
import { problem } from "../intent/problem.ts"
import { read } from "../intent/read.ts"
import { type Problem as IntentProblem, isProblem, type Reading } from "../intent/reading.ts"
import { type Annotations, intentText } from "../intent/text.ts"
import { DerivationCache } from "../keys/derive.ts"
import { decodeExtendedPublicKey } from "../keys/extendedKey.ts"
import { parsePath } from "../keys/path.ts"
import { annotationsOf } from "../policy/annotations.ts"
import type { Decision } from "../policy/decision.ts"
import { chainsOf, type Names, NO_NAMES, readerSettings } from "../policy/names.ts"
import type { KnownAccount } from "../policy/request.ts"
import type { RuleOutcome, Verdict } from "../policy/verdict.ts"
import { type KeySignTask, payloadBytes, type SignatureType, type SignMessage, type Task } from "../wire/task.ts"
import { accountsIn } from "./accounts.ts"
import { isHeavy } from "./readingCost.ts"
import { contradiction, statedPayload, statedTransaction } from "./stated.ts"

/** One payload that was read. */
interface TaskIntent {
  readonly reading: Reading
  /** H(reading), `0x` hex. */
  readonly hash: string
  /** One line for each effect. */
  readonly text: readonly string[]
  /** Indices of the task's messages that belong to it. */
  readonly messages: readonly number[]
  /** What this node derived about the accounts in it; by account in the spelling of the reading. */
  readonly accounts: ReadonlyMap<string, KnownAccount>
}

/** The intents of one task in the order of its payloads; empty if there are none. */
export type Intents = readonly TaskIntent[]
export const NO_INTENTS: Intents = []

/** The part of the node's configuration that reading depends on. */
export interface IntentSettings {
  /** The CAIP-2 ids of the chains that a path signs for. */
  readonly chainsOf: (path: readonly number[]) => readonly string[]
  readonly settings: Settings
  readonly annotations: Annotations
  readonly names: Names
  /** Reads large payloads on another thread. If absent, everything is read on this thread. */
  readonly elsewhere?: ReadElsewhere
}

/** Never rejects. */
export type ReadElsewhere = (task: KeySignTask, key: IntentKey, names: Names) => Promise<Intents | IntentProblem>

/** The settings of a node's [intent] table. */
export const intentSettingsOf = (names: Names): IntentSettings => ({
  chainsOf: (path) => chainsOf(path, names),
  settings: readerSettings(names.table),
  annotations: annotationsOf(names),
  names,
})

/** The settings of a node without an [intent] table. */
export const DEFAULT_INTENT_SETTINGS: IntentSettings = intentSettingsOf(NO_NAMES)

/** The key that a payload is read for: of a group of this node, or of a group that WaaS knows. */
export interface IntentKey {
  readonly curve: CurveName
  readonly publicKey: Bytes
  readonly chainCode: Bytes
  /** xpub or cpub. */
  readonly rootKey: string
}

/** The key of an xpub or cpub. Throws E-KEY-004 and -005. */
export function intentKeyOf(rootKey: string): IntentKey {
  const { curve, publicKey, chainCode } = decodeExtendedPublicKey(rootKey)
  return { curve, publicKey, chainCode, rootKey }
}

const SIGNATURES: Readonly<Record<SignatureType, Asked["signature"]>> = { 1: "ECDSA", 2: "EdDSA", 3: "Schnorr" }

/** A payload and the messages that belong to it. */
interface PlacedPayload {
  readonly format: string
  readonly data: Bytes
  readonly messages: readonly number[]
  /**
   * stated: the task says that this is a payload, in its own place or the vendor's, so a problem with it is a refusal. implied: a message
   * that may be a payload. If it cannot be read, it is a message without a payload, which only rules that demand payloads refuse.
   */
  readonly source: "stated" | "implied"
}

/** True if there is anything to read. Most tasks have no payload and need not wait. */
export const hasPayloads = (task: Task, { chainsOf }: IntentSettings): task is KeySignTask =>
  task.type === "KeySign" && placed(task, chainsOf).length > 0

/** Reads all payloads. Never rejects. `key` comes from this node's own record of the group, with which the task was compared before. */
export async function readIntents(
  task: KeySignTask,
  key: IntentKey,
  settings: IntentSettings,
): Promise<Intents | IntentProblem> {
  if (settings.elsewhere !== undefined && isHeavy(task)) return settings.elsewhere(task, key, settings.names)
  const places = placed(task, settings.chainsOf)
  const amiss = misplaced(task, places)
  if (amiss !== undefined) return amiss
  const intents: TaskIntent[] = []
  for (const place of places) {
    const reading = await readPlace(task, place, key, settings)
    if (!isProblem(reading)) intents.push(intentOf(task, reading, place, key, settings))
    else if (place.source === "stated") return reading
  }
  const readings = intents.map(({ reading }) => reading)
  return (
    (await otherPlace(task, intents, key, settings)) ??
    contradiction(task.extra_info, readings, settings.annotations) ??
    intents
  )
}

/** If both places are filled: the vendor's transaction must be the same as one of the task's own payloads. Otherwise E-INT-012. */
async function otherPlace(
  task: KeySignTask,
  intents: Intents,
  key: IntentKey,
  settings: IntentSettings,
): Promise<IntentProblem | undefined> {
  const raw = statedTransaction(task.extra_info)
  if (raw === undefined || !hasStatedPayloads(task)) return undefined
  const at = "extra_info.transaction.raw_tx_info"
  for (const { messages, hash } of intents) {
    const [first] = messages.flatMap((index) => task.messages[index] ?? [])
    const stated = first && statedPayload(raw, settings.chainsOf(parsePath(first.bip32_path)))
    // On a chain whose vendor form is not read, only the task's own place counts.
    if (stated === undefined) return undefined
    if (stated.data === undefined) return problem("E-INT-012", at, "it is no hex")
    const reading = await readPlace(task, { ...stated, data: stated.data, messages, source: "stated" }, key, settings)
    if (!isProblem(reading) && intentHashText(reading, key.rootKey) === hash) return undefined
  }
  return problem("E-INT-012", at, "no payload of the task is that transaction")
}

export const hasStatedPayloads = (task: Task): boolean => task.type === "KeySign" && task.payloads !== undefined

export const isUnread = (intents: Intents | IntentProblem): intents is IntentProblem => "code" in intents

function intentOf(
  task: KeySignTask,
  reading: Reading,
  { messages }: PlacedPayload,
  key: IntentKey,
  { annotations, names }: IntentSettings,
): TaskIntent {
  const paths = messages.flatMap((index) => task.messages[index] ?? []).map(({ bip32_path }) => parsePath(bip32_path))
  return {
    reading,
    hash: intentHashText(reading, key.rootKey),
    text: intentText(reading, annotations),
    messages,
    accounts: accountsIn(reading, { paths, derive: (path) => childKey(key, path), rootKey: key.rootKey, names }),
  }
}

// ---- where payloads stand ----------------------------------------------------------------------------------------

function placed(
  { messages, payloads = [], signature_type, extra_info }: KeySignTask,
  chainsOf: IntentSettings["chainsOf"],
) {
  // Byte-identical payloads count as one.
  const stated = new Map<string, PlacedPayload>()
  for (const [index, { format, data }] of payloads.entries()) {
    const name = `${format} ${data}`
    const before = stated.get(name)?.messages ?? []
    const own = messages.flatMap(({ payload }, i) => (payload === index ? [i] : []))
    stated.set(name, { format, data: payloadBytes(data), messages: [...before, ...own], source: "stated" })
  }
  const vendors = payloads.length === 0 ? vendorsPlace(extra_info, messages, chainsOf) : []
  if (vendors.length > 0) return vendors
  const implied = signature_type === 2 ? messages.flatMap((message, i) => impliedBy(message, i, chainsOf)) : []
  return [...stated.values(), ...implied]
}

/** The payload in the vendor's place, used if the task has none of its own: one transaction for all messages of the task. */
function vendorsPlace(
  info: KeySignTask["extra_info"],
  messages: readonly SignMessage[],
  chainsOf: IntentSettings["chainsOf"],
): readonly PlacedPayload[] {
  const raw = statedTransaction(info)
  const [first] = messages
  const stated =
    raw === undefined || first === undefined ? undefined : statedPayload(raw, chainsOf(parsePath(first.bip32_path)))
  if (stated === undefined) return []
  const { format, data = new Uint8Array(0) } = stated
  return [{ format, data, messages: messages.map((_, index) => index), source: "stated" }]
}

function impliedBy(
  message: SignMessage,
  index: number,
  chainsOf: IntentSettings["chainsOf"],
): readonly PlacedPayload[] {
  if (message.payload !== undefined) return []
  const isSolana = chainsOf(parsePath(message.bip32_path)).some((chain) => namespaceOf(chain) === "solana")
  if (!isSolana) return []
  const data = bytesOf(message.msg_hash)
  // Solana off-chain messages begin with this byte, with which no transaction can begin.
  const format = data[0] === 0xff ? "solana/offchain" : "solana/message"
  return [{ format, data, messages: [index], source: "implied" }]
}

/** A problem with how payloads and messages refer to each other: E-INT-010 or -011. Checked before anything is read. */
function misplaced({ messages }: KeySignTask, places: readonly PlacedPayload[]): IntentProblem | undefined {
  for (const { source, messages: own } of places) {
    if (source === "stated" && own.length === 0) return problem("E-INT-010", "payloads", "no message belongs to it")
  }
  const placeOf = new Map(places.flatMap((place) => place.messages.map((index) => [index, place] as const)))
  const seen = new Map<string, PlacedPayload | undefined>()
  for (const [index, { bip32_path, tweak, msg_hash }] of messages.entries()) {
    const name = `${bip32_path} ${tweak} ${msg_hash}`
    const place = placeOf.get(index)
    if (seen.has(name) && seen.get(name) !== place && place?.source !== "implied") {
      return problem("E-INT-011", `messages[${index}]`, "it is asked for twice, of two payloads or of one and none")
    }
    seen.set(name, place)
  }
  return undefined
}

// ---- reading one ---------------------------------------------------------------------------------------------------

async function readPlace(
  task: KeySignTask,
  place: PlacedPayload,
  key: IntentKey,
  settings: IntentSettings,
): Promise<Reading | IntentProblem> {
  const messages = place.messages.flatMap((index) => task.messages[index] ?? [])
  const context = contextOf(messages, SIGNATURES[task.signature_type], key, settings)
  if ("code" in context) return context
  const reading = await read(place, context)
  if (isProblem(reading)) return reading
  return check(reading, messages.map(claimedBy)) ?? reading
}

/** What the node itself knows about these messages. E-INT-008 if the group has no key at a path. */
export function contextOf(
  messages: readonly Pick<SignMessage, "bip32_path" | "input" | "tweak">[],
  signature: Asked["signature"],
  key: IntentKey,
  { chainsOf, settings }: IntentSettings,
): Context | IntentProblem {
  const derive = (path: readonly number[]) => childKey(key, path)
  const asked: Asked[] = []
  for (const { bip32_path, input, tweak } of messages) {
    const path = parsePath(bip32_path)
    const publicKey = derive(path)
    if (publicKey === undefined) return problem("E-INT-008", bip32_path, "the group has no key at that path")
    const merkleRoot = signature === "Schnorr" && tweak !== "" ? { merkleRoot: bytesOf(tweak) } : {}
    asked.push({ path, publicKey, signature, ...merkleRoot, ...(input === undefined ? {} : { input }) })
  }
  const [first = [], ...others] = asked.map(({ path }) => chainsOf(path))
  const chains = first.filter((chain) => others.every((list) => list.includes(chain)))
  return { curve: key.curve, messages: asked, derive, chains, settings }
}

/** A cache of derived public keys, because the same accounts come again and again. */
const derived = new DerivationCache()

function childKey({ curve, publicKey, chainCode }: IntentKey, path: readonly number[]): Bytes | undefined {
  try {
    return derived.nodeAt(curveNamed(curve), publicKey, chainCode, path).publicKey
  } catch (error) {
    if (error instanceof CosignerError) return undefined
    throw error
  }
}

const claimedBy = ({ bip32_path, msg_hash, input }: SignMessage): Claimed => ({
  path: parsePath(bip32_path),
  hash: bytesOf(msg_hash),
  ...(input === undefined ? {} : { input }),
})

function bytesOf(prefixed: string): Bytes {
  const bytes = fromHex(prefixed.slice(2))
  if (bytes === undefined) throw new TypeError("a decoded task holds hex that parses")
  return bytes
}

// ---- what records and servers are told -----------------------------------------------------------------------------

/** The intent hash of a whole task, `0x` hex: the hash of its one intent, or a hash over those of several. Undefined without intents. */
export function taskIntentHash(intents: readonly Pick<TaskIntent, "hash">[]): string | undefined {
  const [only, second] = intents
  if (second === undefined) return only?.hash
  return `0x${toHex(H("intent/task", ...intents.map(({ hash }) => bytesOf(hash))))}`
}

/** Bounds of the readings of all intents of a task together, so that a request to a callback server stays small. */
const SHOWN: JsonBounds = { field: 4096, effects: 512 * 1024, text: 256 * 1024 }

/** The intents in the form for callback servers: each with its hash and its messages. */
export function intentsJson(intents: Intents): readonly Readonly<Record<string, unknown>>[] {
  const share = (most: number): number => Math.floor(most / Math.max(1, intents.length))
  const bounds = { ...SHOWN, effects: share(SHOWN.effects), text: share(SHOWN.text) }
  return intents.map(({ reading, hash, text, messages }) => ({
    ...readingJson(reading, { intentHash: hash, text }, bounds),
    messages,
  }))
}

/** The hash of the intent that a message belongs to, in the form that goes into a session id. */
export function intentBytesOf(intents: Intents, index: number): Bytes | undefined {
  const found = intents.find(({ messages }) => messages.includes(index))
  return found && bytesOf(found.hash)
}

// ---- what verdicts keep --------------------------------------------------------------------------------------------

/** The rule name under which a verdict keeps the intents. No rule of a configuration has this name. */
const RULE = "intent"
/** Bound of the words of one intent in a verdict, which the journal keeps for months. */
const MOST_WORDS = 4000
const MOST_LOGGED = 500

/** Adds the intents to a decision, to record what was decided on. */
export function withIntents(decision: Decision, intents: Intents): Decision {
  const read = intents.map(({ hash, text }): RuleOutcome => {
    const words = text.join("; ")
    const cut = words.length > MOST_WORDS ? `${words.slice(0, MOST_WORDS)}… (${text.length} effects)` : words
    return { rule: RULE, outcome: "allow", reason: `${hash} ${cut}` }
  })
  const { verdict } = decision
  return { ...decision, verdict: { ...verdict, rules: [...read, ...verdict.rules] } }
}

/** The rejection of a task with a payload that cannot be read, whatever the rules would say. */
export function unreadDecision({ code, message, at }: IntentProblem): Decision {
  const reason = `${message} (${at})`
  const rules: readonly RuleOutcome[] = [{ rule: RULE, outcome: "error", reason: `${code} ${reason}` }]
  return { verdict: { action: "reject", code, reason, rules }, debits: [] }
}

interface RecordedIntent {
  readonly hash: string
  readonly text: string
}

/** The intents that a verdict recorded. */
export const recordedIntents = (verdict: Verdict | undefined): readonly RecordedIntent[] =>
  (verdict?.rules ?? []).flatMap(({ rule, outcome, reason }) => {
    const found = rule === RULE && outcome === "allow" ? /^(0x[0-9a-f]{64}) ([\s\S]*)$/.exec(reason) : null
    return found === null ? [] : [{ hash: found[1] ?? "", text: found[2] ?? "" }]
  })

/** The words of all intents in one line, cut for a log line. */
export function wordsOf(intents: Intents): string {
  const words = intents.flatMap(({ text }) => text).join("; ")
  return words.length > MOST_LOGGED ? `${words.slice(0, MOST_LOGGED)}…` : words
}

/**
 * True if the intents read now are those that were approved. Another release or another configuration may read differently. If none were
 * recorded and the task states no payload, an earlier release may have approved it; that counts as the same, because the rules are asked
 * again anyway.
 */
export function isAsApproved(task: Task, verdict: Verdict | undefined, intents: Intents): boolean {
  const approved = recordedIntents(verdict).map(({ hash }) => hash)
  if (approved.length === 0 && !hasStatedPayloads(task)) return true
  return approved.length === intents.length && intents.every(({ hash }, i) => hash === approved[i])
}
