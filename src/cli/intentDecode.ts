/**
 * `cosigner intent decode`: shows offline what a node would read in a payload, without database, password or network. With a root
 * key and paths it is the node's own reading, hash included. Without them the senders are those that the payload states.
 */
import { type Bytes, fromHex, toHex } from "../bytes.ts"
import { EXIT, type ExitCode } from "../errors/entry.ts"
import { intentCodes } from "../errors/intent.ts"
import { contextOf, offlineContext } from "../intent/context.ts"
import type { Context } from "../intent/decoder.ts"
import { intentHashText } from "../intent/hash.ts"
import { problemJson, readingJson } from "../intent/json.ts"
import { read } from "../intent/read.ts"
import { FORMATS, type Format, isProblem, type Problem } from "../intent/reading.ts"
import { intentText } from "../intent/text.ts"
import { decodeExtendedPublicKey } from "../keys/extendedKey.ts"
import type { Output } from "../output.ts"
import { annotationsOf } from "../policy/annotations.ts"
import { chainsOf, type Names, NO_NAMES, readerSettings } from "../policy/names.ts"
import { choice, command, list, refuse, value } from "./command.ts"
import { bytesOfFile, signingMessage } from "./payloads.ts"

export const decode = command({
  summary: "Show what a node reads in a payload",
  details:
    "Prints one line for each effect, or why the payload cannot be read (exit 3). Runs offline, without a database. " +
    "Without --root and --path the payload's own sender is shown as it is stated, unverified, and there is no intent hash. " +
    "Names and settings of [intent] are those of the file that --config names; without it there are none.",
  options: {
    format: choice("--format <format>", "what kind of payload it is", FORMATS),
    data: value("--data <hex>", "the payload, 0x and hex digits"),
    file: value("--file <file>", "the payload, every byte of the file"),
    root: value("--root <xpub|cpub>", "the group's root extended public key"),
    paths: list(
      "--path <paths>",
      "paths that sign it, such as m/44/60/0/0/5; of a PSBT with the input, m/84/0/0/0/5@0",
    ),
  },
  examples: [
    ["cosigner intent decode --format evm/transaction --data 0x02ed...", "what it does, whoever sends it"],
    [
      "cosigner intent decode --format evm/typed-data --file permit.json --root xpub661My... --path m/44/60/0/0/5 --json",
      "the node's own reading, with its hash",
    ],
  ],
  run: async (base) => {
    const { options, out } = base
    const format = options.format ?? refuse("--format", `one of ${FORMATS.join(", ")}`, "")
    const data = payloadOf(options.data, options.file)
    const names = base.globals.config === undefined ? NO_NAMES : (await base.config()).embedded_risk_control_rules.names
    const { root, paths } = options
    const context = contextFor(names, format, root, paths)
    const decoded = await read({ format, data }, context)
    if (isProblem(decoded)) return unread(out, decoded)
    const text = intentText(decoded, annotationsOf(names))
    const intentHash = root === undefined ? undefined : intentHashText(decoded, root)
    out.result(readingJson(decoded, { intentHash, text }), [
      ...text,
      ...decoded.signs.map(({ bytes }) => `signs 0x${toHex(bytes)}`),
      ...(intentHash === undefined ? [] : [`intent ${intentHash}`]),
    ])
    if (root === undefined) out.note("no key was given: the sender is as the payload states it, unverified")
    return EXIT.ok
  },
})

function unread(out: Output, problem: Problem): ExitCode {
  const { code, message, at } = problem
  const { next } = intentCodes[code]
  out.result(problemJson(problem), [])
  if (!out.json) out.note(`${code} ${message} (at ${at}); ${next}`)
  return EXIT.secrets
}

function payloadOf(data: string | undefined, file: string | undefined): Bytes {
  if ((data === undefined) === (file === undefined)) refuse("the payload", "either --data or --file", data ?? "")
  if (data !== undefined) {
    const bytes = data.startsWith("0x") ? fromHex(data.slice(2).toLowerCase()) : undefined
    return bytes ?? refuse("--data", "0x and pairs of hex digits", data.slice(0, 40))
  }
  return bytesOfFile("--file", file ?? "")
}

function contextFor(names: Names, format: Format, root: string | undefined, paths: readonly string[]): Context {
  if ((root === undefined) !== (paths.length === 0))
    refuse("--root and --path", "given together, or not at all", root ?? paths.join(","))
  const settings = readerSettings(names.table)
  if (root === undefined) return offlineContext(format.startsWith("solana/") ? "ed25519" : "secp256k1", settings)
  const key = decodeExtendedPublicKey(root)
  const messages = paths.map((text) =>
    signingMessage(text, { isEd25519: key.curve === "ed25519", isBitcoin: format.startsWith("bitcoin/") }),
  )
  return contextOf(key, messages, { chainsOf: (path) => chainsOf(path, names), settings })
}
