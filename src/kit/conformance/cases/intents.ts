/**
 * Signing requests whose `extra_info.intent` (what the node read, formats.md 11) differs from the raw transaction or from the
 * digest, in every format that a node reads. A server may decide by the intent alone. Then it must compare the digests, and must not
 * ignore an effect that it does not know.
 */
import { copy, fromHex } from "../../../bytes.ts"
import { BITCOIN, evmChain, NATIVE_ASSETS, SOLANA, TRON } from "../../../intent/caip.ts"
import { addressOf } from "../../../intent/evm/address.ts"
import { intentHashText } from "../../../intent/hash.ts"
import { readingJson } from "../../../intent/json.ts"
import { FORMATS, type Format, type Reading } from "../../../intent/reading.ts"
import { parsePath } from "../../../keys/path.ts"
import { approves } from "../client.ts"
import {
  ask,
  type Case,
  digestOf,
  mustRefuse,
  SAMPLE_GAS,
  SAMPLE_GAS_PRICE,
  SAMPLE_PATH,
  SAMPLE_ROOT,
  type Sample,
  SENDER,
  signBody,
  transferOf,
} from "../kit.ts"
import { legacy, SAMPLE_NONCE } from "../rlpEncode.ts"

export const intentCases: readonly Case[] = [
  {
    id: "intent-beside",
    severity: "minor",
    title: "approves the same transfer with the node's intent beside it",
    needs: "transaction",
    run: async (kit) => {
      if (kit.sample === undefined) return undefined
      const intent = [shown(kit.sample, "evm/transaction", digestOf(legacy(transferOf(kit.sample))))]
      return approves(await ask(kit, "intent-beside", signBody(kit, { intent }))) ? undefined : "it refused"
    },
  },
  mustRefuse(
    "intent-contradicts",
    "major",
    "a transfer of which the node's intent shows another destination",
    (sample) => {
      const other = { ...sample, to: copy(sample.to).reverse() }
      return { intent: [shown(other, "evm/transaction", digestOf(legacy(transferOf(sample))))] }
    },
  ),
  mustRefuse("intent-other-hash", "minor", "an intent whose hash is not that of what it shows", (sample) => {
    const intent = shown(sample, "evm/transaction", digestOf(legacy(transferOf(sample))))
    return { intent: [{ ...intent, intent_hash: `0x${"5a".repeat(32)}` }] }
  }),
  ...FORMATS.flatMap((format) => [
    mustRefuse(
      named("intent-other-digest", format),
      "critical",
      `an intent of ${format} that is of another digest`,
      (sample) => ({
        raw: "absent",
        hashes: [otherDigest(sample)],
        intent: [shown(sample, format, digestOf(legacy(transferOf(sample))))],
      }),
    ),
    mustRefuse(
      named("intent-other-raw", format),
      "critical",
      `a raw transaction that an intent of ${format} does not show`,
      (sample) => {
        const transfer = { to: copy(sample.to).reverse() }
        const digest = digestOf(legacy(transferOf(sample, transfer)))
        return { transfer, intent: [shown(sample, format, digest)] }
      },
    ),
    mustRefuse(
      named("intent-left-out", format),
      "critical",
      `an intent of ${format} of which effects are left out`,
      (sample) => {
        const digest = digestOf(legacy(transferOf(sample)))
        const intent = shown(sample, format, digest)
        const effects = [intent["effects"], { kind: "left_out", effects: "7" }].flat()
        return { raw: "absent", intent: [{ ...intent, effects }] }
      },
    ),
  ]),
]

function named(id: string, format: Format): string {
  return `${id}-${format.replace("/", "-")}`
}

const otherDigest = (sample: Sample): string =>
  digestOf(legacy(transferOf(sample, { value: sample.amount * 1_000n + 1n })))

type IntentShown = Readonly<Record<string, unknown>>

/** The sample's transfer as an intent of a format, with its hash; what people are shown is correct in every case. */
function shown({ chainId, to, amount }: Sample, format: Format, digest: string): IntentShown {
  const chain = chainOf(format, chainId)
  const asset = NATIVE_ASSETS.get(chain)?.id ?? `${chain}/slip44:60`
  const reading: Reading = {
    format,
    chain,
    from: [addressOf(SENDER)],
    effects: [{ kind: "transfer", from: addressOf(SENDER), to: addressOf(to), asset, amount }],
    fee: { max: SAMPLE_GAS * SAMPLE_GAS_PRICE, asset, unbounded: false },
    nonce: SAMPLE_NONCE.toString(),
    signs: [{ path: parsePath(SAMPLE_PATH), bytes: fromHex(digest.slice(2)) ?? new Uint8Array(0) }],
  }
  const text = [`transfer ${amount} base units of ${asset} to ${addressOf(to)} on ${chain}`]
  const intentHash = intentHashText(reading, SAMPLE_ROOT)
  return { ...readingJson(reading, { intentHash, text }), messages: [0] }
}

function chainOf(format: Format, chainId: bigint): string {
  if (format.startsWith("bitcoin/")) return BITCOIN
  if (format.startsWith("solana/")) return SOLANA
  return format.startsWith("tron/") ? TRON : evmChain(chainId)
}
