/**
 * Asks the nodes of a vault for signatures. First the nodes' own decoders read the request here, and it is shown in words.
 * The returned signatures are verified under the child keys that are derived here.
 */
import { randomUUID } from "node:crypto"
import { type Bytes, toHex } from "../../bytes.ts"
import type { CurveName } from "../../crypto/curve.ts"
import { EXIT, type ExitCode } from "../../errors/entry.ts"
import { intentCodes } from "../../errors/intent.ts"
import { contextOf, type SigningMessage } from "../../intent/context.ts"
import { intentHashText } from "../../intent/hash.ts"
import { problemJson } from "../../intent/json.ts"
import { read } from "../../intent/read.ts"
import { type Format, isProblem, type Problem } from "../../intent/reading.ts"
import { intentText } from "../../intent/text.ts"
import { decodeExtendedPublicKey } from "../../keys/extendedKey.ts"
import { formatPath } from "../../keys/path.ts"
import type { Output } from "../../output.ts"
import { annotationsOf } from "../../policy/annotations.ts"
import { chainsOf, type Names, readerSettings } from "../../policy/names.ts"
import { SIGNING_WAYS } from "../../signers/open.ts"
import type { SignRequestInput, SignRequestObject } from "../../waas/client.ts"
import type { SignatureType, SignMessage } from "../../wire/task.ts"
import { deskOf } from "../approve/desk.ts"
import { type Initiator, signOwnRequest } from "../approve/initiator.ts"
import { choice, flag, integer, list, value } from "../command.ts"
import { profileOption, type WaasConnection } from "./profile.ts"
import { signLines } from "./request.ts"
import { vaultOption } from "./vault.ts"
import { amiss, checkedVault, checkSignatures, curveTypeOf, rootOf } from "./verified.ts"
import { signEnding, timeoutOption, untilEnded } from "./wait.ts"

/** The options of every command that asks for signatures. */
export const askingOptions = {
  profile: profileOption,
  vault: vaultOption,
  group: value("--group <id>", "the group that signs (default: the main group)"),
  nodes: list("--node <node-ids>", "the nodes that sign (default: WaaS chooses)"),
  requestId: value("--request-id <id>", "the same id is the same request, however often it is sent"),
  description: value("--description <text>", "for people"),
  deadline: value("--deadline <seconds>", "until when the nodes may sign", integer(1, 604_800)),
  as: value("--as <name>", "your name in [[approvers]]: the request is signed by its initiator"),
  key: value("--key <file>", "the initiator's OpenSSH key; of a key in the ssh-agent its .pub file"),
  with: choice("--with <way>", "who opens the key (default: file, of a .pub file agent)", SIGNING_WAYS),
  wait: flag("--wait", "wait until it has ended, verify the signatures, and say how it goes"),
  timeout: timeoutOption,
}

/** The settings of a request. */
interface Asking {
  readonly vaultId: string
  readonly group: string | undefined
  readonly nodes: readonly string[]
  readonly requestId: string | undefined
  readonly description: string | undefined
  readonly deadline: number | undefined
  readonly wait: boolean
  readonly timeout: number
  readonly initiator: Initiator | undefined
}

/** The contents of a request. */
export interface Wish {
  readonly curve: CurveName
  readonly signatureType: SignatureType
  readonly messages: readonly SigningMessage[]
  readonly payload: { readonly format: Format; readonly data: Bytes } | undefined
  /** For a request without payload. */
  readonly digest: Bytes | undefined
}

/** What the calling command adds to an answer whose signatures were verified. */
interface Addition {
  readonly fields: Readonly<Record<string, unknown>>
  readonly lines: readonly string[]
}

interface AskingWith {
  readonly asking: Asking
  readonly names: Names
  readonly out: Output
  readonly addition?: (request: SignRequestObject) => Promise<Addition>
}

/** In these states a node may still ask people. */
const UNDECIDED: ReadonlySet<string> = new Set(["Initializing", "Approving"])

const NOTHING: Addition = { fields: {}, lines: [] }

/** Makes the request, waits if asked to, and prints. Exit code 5 for a payload that cannot be read. */
export async function askForSignatures(
  { client, profile }: WaasConnection,
  wish: Wish,
  { asking, names, out, addition = async () => NOTHING }: AskingWith,
): Promise<ExitCode> {
  const { vaultId, group, nodes, deadline } = asking
  const root = rootOf(checkedVault(await client.vault(vaultId), vaultId, profile), wish.curve)
  const planned = await planOf(wish, root, names)
  if ("code" in planned) return unread(planned, out)
  for (const line of planned.text) out.note(`will sign: ${line}`)
  const asked = await client.createSignRequest(vaultId, {
    request_id: asking.requestId ?? randomUUID(),
    curve: curveTypeOf(wish.curve),
    signature_type: wish.signatureType,
    ...(group === undefined ? {} : { key_share_holder_group_id: group }),
    ...(nodes.length === 0 ? {} : { used_tss_node_ids: nodes }),
    ...planned.input,
    ...shownToServers(wish.payload, asking),
    description: asking.description ?? "",
    ...(deadline === undefined ? {} : { deadline_seconds: deadline }),
  })
  const id = asked.sign_request_id
  if (asking.initiator !== undefined) {
    const desk = deskOf({ client, profile }, vaultId, names)
    const isOpen = async () => UNDECIDED.has((await client.signRequest(vaultId, id)).status)
    const own = { desk, id, asked: planned.messages, isOpen, seconds: asking.timeout }
    if (!(await signOwnRequest(own, asking.initiator))) out.note("no node asked for the initiator's word")
  }
  const { text, intentHash } = planned
  const told = { text, ...(intentHash === undefined ? {} : { intent_hash: intentHash }) }
  if (!asking.wait) {
    const next = `Next: cosigner client request show ${id} --wait`
    out.result({ ...asked, ...told, verified: false }, [...signLines(asked), next])
    return EXIT.ok
  }
  const progress = { what: `request ${id}`, seconds: asking.timeout, out }
  const done = await untilEnded(
    progress,
    signEnding(() => client.signRequest(vaultId, id)),
  )
  if (done.signature_type !== wish.signatureType)
    throw amiss(`request ${id} has signatures of type ${done.signature_type} where ${wish.signatureType} was asked for`)
  checkSignatures(root, done, planned.messages)
  const { fields, lines } = await addition(done)
  const words = text.map((line) => `signed: ${line}`)
  out.result({ ...done, ...told, ...fields, verified: true }, [...words, ...signLines(done), ...lines])
  return EXIT.ok
}

function unread(problem: Problem, out: Output): ExitCode {
  const { code, message, at } = problem
  out.result(problemJson(problem), [])
  if (!out.json) out.note(`${code} ${message} (at ${at}); ${intentCodes[code].next}`)
  return EXIT.refused
}

/**
 * Puts an EVM transaction where callback servers of the ecosystem look for it, with the fields that they demand. Nodes compare it
 * with the payload (formats.md 11), and nobody relies on the other fields.
 */
function shownToServers(
  payload: Wish["payload"],
  { requestId, vaultId }: Asking,
): Pick<SignRequestInput, "extra_info"> {
  if (payload?.format !== "evm/transaction") return {}
  // A request that is sent again must be identical, so it must not state another time.
  const nowMs = requestId === undefined ? Date.now() : 0
  const transaction = {
    transaction_id: requestId ?? randomUUID(),
    wallet_id: vaultId,
    status: "PendingSignature",
    source: { source_type: "Org-Controlled" },
    destination: { destination_type: "Address" },
    initiator_type: "API",
    raw_tx_info: { unsigned_raw_tx: `0x${toHex(payload.data)}` },
    created_timestamp: nowMs,
    updated_timestamp: nowMs,
  }
  return { extra_info: { transaction } }
}

interface PlannedRequest {
  readonly input: Pick<SignRequestInput, "messages" | "payloads">
  readonly messages: readonly SignMessage[]
  readonly text: readonly string[]
  readonly intentHash: string | undefined
}

/** The request's messages with every digest, computed here; a problem if the payload cannot be read. */
async function planOf(wish: Wish, root: string, names: Names): Promise<PlannedRequest | Problem> {
  const { payload, digest, messages } = wish
  const tweakOf = ({ merkleRoot }: SigningMessage): string => (merkleRoot === undefined ? "" : `0x${toHex(merkleRoot)}`)
  if (payload === undefined) {
    const hash = `0x${toHex(digest ?? new Uint8Array(0))}`
    const made = messages.map((message) => ({
      bip32_path: formatPath(message.path),
      msg_hash: hash,
      tweak: tweakOf(message),
    }))
    return {
      input: { messages: made },
      messages: made,
      text: [`${hash}, which nobody can read`],
      intentHash: undefined,
    }
  }
  const context = contextOf(decodeExtendedPublicKey(root), messages, {
    chainsOf: (path) => chainsOf(path, names),
    settings: readerSettings(names.table),
  })
  const reading = await read(payload, context)
  if (isProblem(reading)) return reading
  const made = reading.signs.map(({ bytes, input, path }, i) => ({
    bip32_path: formatPath(path ?? messages[i]?.path ?? []),
    msg_hash: `0x${toHex(bytes)}`,
    tweak: messages[i] === undefined ? "" : tweakOf(messages[i]),
    payload: 0,
    ...(input === undefined ? {} : { input }),
  }))
  const data = Buffer.from(payload.data).toString("base64")
  return {
    input: { messages: made, payloads: [{ format: payload.format, data }] },
    messages: made,
    text: intentText(reading, annotationsOf(names)),
    intentHash: intentHashText(reading, root),
  }
}
