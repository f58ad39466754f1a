/**
 * `cosigner client sign`: a message, a payload or a digest, signed by the nodes of a vault. What is asked for is read here first,
 * by the nodes' own decoders, and said in words; what comes back is verified under the child key that is derived here.
 */
import { type Bytes, fromHex, toHex, utf8 } from "../../bytes.ts"
import type { CurveName } from "../../crypto/curve.ts"
import { EXIT } from "../../errors/entry.ts"
import { intentCodes } from "../../errors/intent.ts"
import { namespaceOf } from "../../intent/caip.ts"
import { contextOf, type SigningMessage } from "../../intent/context.ts"
import { intentHashText } from "../../intent/hash.ts"
import { problemJson } from "../../intent/json.ts"
import { read } from "../../intent/read.ts"
import { FORMATS, type Format, isProblem, type Problem } from "../../intent/reading.ts"
import { intentText } from "../../intent/text.ts"
import { decodeExtendedPublicKey } from "../../keys/extendedKey.ts"
import { formatPath, parsePath } from "../../keys/path.ts"
import { algorithmOf } from "../../keys/pathRule.ts"
import { annotationsOf } from "../../policy/annotations.ts"
import { chainsOf, type Names, NO_NAMES, namesIn, readerSettings } from "../../policy/names.ts"
import type { SignRequestInput } from "../../waas/client.ts"
import type { SignatureType, SignMessage } from "../../wire/task.ts"
import { choice, command, flag, integer, list, refuse, value } from "../command.ts"
import { bytesOfFile, signingMessage } from "../payloads.ts"
import { connect, profileOption } from "./profile.ts"
import { signLines } from "./request.ts"
import { vaultOption } from "./vault.ts"
import { checkedVault, checkSignatures, curveTypeOf, requestIdOr, rootOf, vaultIdOf } from "./verified.ts"
import { signEnding, timeoutOption, untilEnded } from "./wait.ts"

export const sign = command({
  summary: "Have the nodes of a vault sign a message, a payload or a digest",
  details: [
    "A message is signed as the path's chain does: EIP-191 on EVM chains, BIP-322 on Bitcoin, TRON's own form on TRON. Everything else is a payload",
    "with its --format; the nodes read it, and so does this command, which says in words what it will do before it asks. --digest asks for a",
    "signature over what nobody can read: nodes with rules refuse it unless their blind_paths name the path.",
    "Names of [intent] are those of the file that --config names. Ends with exit code 5 if the nodes refuse.",
  ].join("\n"),
  options: {
    profile: profileOption,
    vault: vaultOption,
    group: value("--group <id>", "the group that signs (default: the main group)"),
    nodes: list("--node <node-ids>", "the nodes that sign (default: WaaS chooses)"),
    paths: list("--path <paths>", "the path that signs; of a PSBT one for each input, m/84/0/0/0/5@0"),
    message: value("--message <text>", "a message for people"),
    digest: value("--digest <hex>", "32 bytes, or of Ed25519 the whole message; nobody reads it"),
    payload: value("--payload <file>", "the transaction or typed data itself, every byte of the file"),
    format: choice("--format <format>", "what kind of payload it is", FORMATS),
    requestId: value("--request-id <id>", "the same id is the same request, however often it is sent"),
    description: value("--description <text>", "for people"),
    deadline: value("--deadline <seconds>", "until when the nodes may sign", integer(1, 604_800)),
    wait: flag("--wait", "wait until it has ended, verify the signatures, and say how it goes"),
    timeout: timeoutOption,
  },
  examples: [
    ['cosigner client sign --path m/44/60/0/0/0 --message "Sign in to example.org" --wait', "EIP-191"],
    ["cosigner client sign --path m/44/60/0/0/0 --payload tx.bin --format evm/transaction --wait", "a transaction"],
  ],
  run: async (base) => {
    const { options, out, globals } = base
    using connection = connect(options.profile)
    const { client, profile } = connection
    const vaultId = vaultIdOf(options.vault, profile)
    const names = globals.config === undefined ? NO_NAMES : namesIn((await base.config()).intent)
    const vault = checkedVault(await client.vault(vaultId), vaultId, profile)
    const wish = wishOf(options, names)
    const root = rootOf(vault, wish.curve)
    const made = await requestOf(wish, root, names)
    if ("code" in made) {
      out.result(problemJson(made), [])
      if (!out.json) out.note(`${made.code} ${made.message} (at ${made.at}); ${intentCodes[made.code].next}`)
      return EXIT.refused
    }
    for (const line of made.text) out.note(`will sign: ${line}`)
    const { group, nodes, deadline } = options
    const requestId = requestIdOr(options.requestId)
    const asked = await client.createSignRequest(vaultId, {
      request_id: requestId,
      curve: curveTypeOf(wish.curve),
      signature_type: wish.signatureType,
      ...(group === undefined ? {} : { key_share_holder_group_id: group }),
      ...(nodes.length === 0 ? {} : { used_tss_node_ids: nodes }),
      ...made.input,
      ...shownToServers(wish.payload, requestId, vaultId),
      description: options.description ?? "",
      ...(deadline === undefined ? {} : { deadline_seconds: deadline }),
    })
    const id = asked.sign_request_id
    const told = { text: made.text, ...(made.intentHash === undefined ? {} : { intent_hash: made.intentHash }) }
    if (!options.wait) {
      out.result({ ...asked, ...told, verified: false }, [
        ...signLines(asked),
        `Next: cosigner client request show ${id} --wait`,
      ])
      return EXIT.ok
    }
    const progress = { what: `request ${id}`, seconds: options.timeout, out }
    const done = await untilEnded(
      progress,
      signEnding(() => client.signRequest(vaultId, id)),
    )
    checkSignatures(root, done, made.messages)
    out.result({ ...done, ...told, verified: true }, [
      ...made.text.map((line) => `signed: ${line}`),
      ...signLines(done),
    ])
    return EXIT.ok
  },
})

// ---- what is asked for -------------------------------------------------------------------------------------------------

interface Wish {
  readonly curve: CurveName
  readonly signatureType: SignatureType
  readonly messages: readonly SigningMessage[]
  readonly payload: { readonly format: Format; readonly data: Bytes } | undefined
  /** Of a request without payload. */
  readonly digest: Bytes | undefined
}

interface Typed {
  readonly paths: readonly string[]
  readonly message: string | undefined
  readonly digest: string | undefined
  readonly payload: string | undefined
  readonly format: Format | undefined
}

function wishOf({ paths, message, digest, payload, format }: Typed, names: Names): Wish {
  const [first] = paths
  if (first === undefined) return refuse("--path", "the path that signs", "none")
  const given = [message, digest, payload].filter((one) => one !== undefined)
  if (given.length !== 1) return refuse("what to sign", "one of --message, --digest and --payload", `${given.length}`)
  if ((payload === undefined) !== (format === undefined) && message === undefined)
    return refuse("--format", "given with --payload, and only there", format ?? "none")
  const namespaces = chainsOf(parsePath(first.replace(/@\d+$/, "")), names).map(namespaceOf)
  const what = message === undefined ? undefined : messagePayload(message, namespaces, format)
  const chosen =
    what ??
    (payload === undefined || format === undefined ? undefined : { format, data: bytesOfFile("--payload", payload) })
  const isEd25519 = chosen === undefined ? namespaces.includes("solana") : chosen.format.startsWith("solana/")
  const isBitcoin = chosen?.format.startsWith("bitcoin/") === true
  const messages = paths.map((path) => signingMessage(path, { isEd25519, isBitcoin }))
  const isSchnorr = !isEd25519 && messages.every(({ path }) => algorithmOf(path) !== "ecdsa")
  return {
    curve: isEd25519 ? "ed25519" : "secp256k1",
    signatureType: isEd25519 ? 2 : isSchnorr ? 3 : 1,
    messages,
    payload: chosen,
    digest: digest === undefined ? undefined : hexOf(digest),
  }
}

const MESSAGE_FORMATS: Readonly<Record<string, Format>> = {
  eip155: "evm/message",
  bip122: "bitcoin/message",
  tron: "tron/message",
}

/** The form in which the path's chain signs texts, unless --format names one. */
function messagePayload(text: string, namespaces: readonly string[], format: Format | undefined): Wish["payload"] {
  const own = [...new Set(namespaces.flatMap((namespace) => MESSAGE_FORMATS[namespace] ?? []))]
  const [found] = format === undefined ? own : [format]
  if (found === undefined || (format === undefined && own.length !== 1))
    return refuse(
      "--message",
      "a path of one EVM, Bitcoin or TRON chain; for others a --payload with its --format",
      text,
    )
  return { format: found, data: utf8(text) }
}

const hexOf = (text: string): Bytes =>
  fromHex(text.replace(/^0x/, "").toLowerCase()) ?? refuse("--digest", "pairs of hex digits", text.slice(0, 80))

/**
 * An EVM transaction in the place where callback servers of the ecosystem look for it, with the fields that they demand; nodes hold it
 * to the payload (formats.md 11), and nobody believes the rest.
 */
function shownToServers(
  payload: Wish["payload"],
  requestId: string,
  vaultId: string,
): Pick<SignRequestInput, "extra_info"> {
  if (payload?.format !== "evm/transaction") return {}
  const nowMs = Date.now()
  const transaction = {
    transaction_id: requestId,
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

/** The request's messages with every digest, worked out here; a problem where the payload cannot be read. */
async function requestOf(wish: Wish, root: string, names: Names): Promise<PlannedRequest | Problem> {
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
