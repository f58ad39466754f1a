/** Signing requests that would sign something other than what was shown, listed or limited. */
import { type Bytes, concat, copy, u8, utf8 } from "../../../bytes.ts"
import { formatDecimal } from "../../../intent/amount.ts"
import { addressOf } from "../../../intent/evm/address.ts"
import { approves } from "../client.ts"
import { ask, type Case, digestOf, mustRefuse, type Sample, signBody, transferOf } from "../kit.ts"
import { delegating, eip1559, legacy, padded, withoutChain } from "../rlpEncode.ts"

export const transactionCases: readonly Case[] = [
  {
    id: "tx-eip1559",
    severity: "minor",
    title: "approves the same transfer as an EIP-1559 transaction",
    needs: "transaction",
    run: async (kit) =>
      approves(await ask(kit, "tx-eip1559", signBody(kit, { encode: eip1559 }))) ? undefined : "it refused",
  },
  mustRefuse("tx-digest-of-another", "critical", "a digest that is not the raw transaction's", (s) => ({
    hashes: [evilDigest(s)],
  })),
  mustRefuse("tx-second-digest", "critical", "a second digest beside the right one", (s) => ({
    hashes: [digestOf(legacy(transferOf(s))), evilDigest(s)],
    detail: { bip32_path_list: ["m/44/60/0/0/0", "m/44/60/0/0/0"], tweak_list: ["", ""] },
  })),
  mustRefuse("tx-no-digest", "critical", "an empty list of digests", () => ({ hashes: [] })),
  mustRefuse("tx-no-raw", "critical", "a transaction of which only the words are given", () => ({ raw: "absent" })),
  mustRefuse("tx-unknown-destination", "critical", "a destination that is on no list", (s) => {
    const to = copy(s.to).reverse()
    return { transfer: { to }, shown: { address: addressOf(to) } }
  }),
  mustRefuse("tx-look-alike", "critical", "a destination with the same first and last digits", (s) => {
    const to = lookAlike(s)
    return { transfer: { to }, shown: { address: addressOf(to) } }
  }),
  mustRefuse(
    "tx-other-destination-than-shown",
    "critical",
    "a raw transaction that pays another address than is shown",
    (s) => ({
      transfer: { to: lookAlike(s) },
    }),
  ),
  mustRefuse(
    "tx-other-amount-than-shown",
    "critical",
    "a raw amount a billion times the shown one (wei for gwei)",
    (s) => ({
      transfer: { value: s.amount * 1_000_000_000n },
    }),
  ),
  mustRefuse("tx-small-amount-shown-large", "major", "a raw amount below the shown one", (s) => ({
    transfer: { value: s.amount / 1_000_000_000n },
  })),
  mustRefuse("tx-any-amount", "critical", "an amount of more ether than exists", (s) => {
    const value = 10n ** 27n + s.amount
    return { transfer: { value }, shown: { amount: formatDecimal(value, 18) } }
  }),
  mustRefuse("tx-any-fee", "major", "a fee of more ether than exists", () => ({ transfer: { gasPrice: 10n ** 23n } })),
  mustRefuse("tx-other-chain", "critical", "the same transfer on another chain", (s) => ({
    transfer: { chainId: s.chainId + 40_000n },
  })),
  mustRefuse("tx-no-chain", "critical", "a transfer without a chain id, valid on every chain", () => ({
    encode: withoutChain,
  })),
  mustRefuse("tx-contract-creation", "critical", "the creation of a contract", () => ({
    transfer: { to: new Uint8Array(0) },
  })),
  mustRefuse("tx-hidden-call", "major", "a transfer that carries call data", () => ({
    transfer: { data: utf8("\u0009\u005ehidden") },
  })),
  mustRefuse("tx-delegation", "critical", "a payment with an EIP-7702 delegation behind it", () => ({
    encode: delegating,
  })),
  mustRefuse("tx-trailing-bytes", "major", "bytes after the raw transaction", () => ({
    encode: (t) => concat(legacy(t), u8(0)),
  })),
  mustRefuse("tx-other-encoding", "major", "an amount with a leading zero", () => ({ encode: padded })),
  mustRefuse("tx-wrong-checksum", "minor", "a shown address with a wrong checksum", (s) => ({
    shown: { address: wrongChecksum(s) },
  })),
  mustRefuse("tx-foreign-letters", "minor", "a shown address with a Cyrillic letter in it", (s) => ({
    shown: { address: `0\u0445${addressOf(s.to).slice(2)}` },
  })),
  mustRefuse("tx-other-signature-type", "minor", "a Schnorr signature over the digest", () => ({
    detail: { signature_type: 3 },
  })),
]

/** Same first and last four digits, different middle: a person who glances at a screen does not see it. */
function lookAlike({ to }: Sample): Bytes {
  const twin = copy(to)
  for (let i = 2; i < 18; i++) twin[i] = (twin[i] ?? 0) ^ 0x5a
  return twin
}

const evilDigest = (sample: Sample): string =>
  digestOf(legacy(transferOf(sample, { value: sample.amount * 1_000n + 1n })))

/** Every letter in the other case: mixed as before, and wrong. */
function wrongChecksum({ to }: Sample): string {
  const good = addressOf(to).slice(2)
  const flipped = [...good].map((c) => (c === c.toLowerCase() ? c.toUpperCase() : c.toLowerCase())).join("")
  return `0x${flipped}`
}
