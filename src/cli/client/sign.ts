/** `cosigner client sign`: a message, a payload or a digest, signed by the nodes of a vault. */
import { type Bytes, fromHex, utf8 } from "../../bytes.ts"
import { namespaceOf } from "../../intent/caip.ts"
import { FORMATS, type Format } from "../../intent/reading.ts"
import { parsePath } from "../../keys/path.ts"
import { algorithmOf } from "../../keys/pathRule.ts"
import { chainsOf, type Names, NO_NAMES, namesIn } from "../../policy/names.ts"
import { initiatorOf } from "../approve/initiator.ts"
import { choice, command, list, refuse, value } from "../command.ts"
import { bytesOfFile, signingMessage } from "../payloads.ts"
import { askForSignatures, askingOptions, type Wish } from "./asking.ts"
import { connect } from "./profile.ts"
import { vaultIdOf } from "./verified.ts"

export const sign = command({
  summary: "Have the nodes of a vault sign a message, a payload or a digest",
  details: [
    "A message is signed in the form of the path's chain: EIP-191 on EVM chains, BIP-322 on Bitcoin, TRON's own form on TRON. Anything else is a payload",
    "with its --format. The nodes read it, and so does this command, which describes in words what the payload will do before it asks the nodes. --digest asks for a",
    "signature over what nobody can read: nodes with rules refuse it unless their blind_paths name the path.",
    "Names of [intent] are those of the file that --config names. Ends with exit code 5 if the nodes refuse.",
  ].join("\n"),
  options: {
    ...askingOptions,
    paths: list("--path <paths>", "the path that signs; of a PSBT one for each input, m/84/0/0/0/5@0"),
    message: value("--message <text>", "a message for people"),
    digest: value("--digest <hex>", "32 bytes, or of Ed25519 the whole message; nobody reads it"),
    payload: value("--payload <file>", "the transaction or typed data itself, every byte of the file"),
    format: choice("--format <format>", "what kind of payload it is", FORMATS),
  },
  examples: [
    ['cosigner client sign --path m/44/60/0/0/0 --message "Sign in to example.org" --wait', "EIP-191"],
    ["cosigner client sign --path m/44/60/0/0/0 --payload tx.bin --format evm/transaction --wait", "a transaction"],
  ],
  run: async (base) => {
    const { options, out, globals } = base
    using connection = connect(options.profile)
    const names = globals.config === undefined ? NO_NAMES : namesIn((await base.config()).intent)
    using initiator = await initiatorOf(options, base.env["SSH_AUTH_SOCK"])
    const asking = { ...options, vaultId: vaultIdOf(options.vault, connection.profile), initiator }
    return await askForSignatures(connection, wishOf(options, names), { asking, names, out })
  },
})

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

/** The format in which the path's chain signs texts, unless --format names one. */
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
