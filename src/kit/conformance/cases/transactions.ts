/** Signing requests in which something other would be signed than what was shown, listed or limited. */
import { type Bytes, concat, copy, u8, utf8 } from "../../../bytes.ts"
import { formatDecimal } from "../../../intent/amount.ts"
import { addressOf } from "../../../intent/evm/address.ts"
import { approves } from "../client.ts"
import {
  ask,
  type Case,
  digestOf,
  type Kit,
  type Sample,
  type Severity,
  type SignOver,
  signBody,
  transferOf,
} from "../kit.ts"
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
  must("tx-digest-of-another", "critical", "a digest that is not the raw transaction's", (s) => ({
    hashes: [evilDigest(s)],
  })),
  must("tx-second-digest", "critical", "a second digest beside the right one", (s) => ({
    hashes: [digestOf(legacy(transferOf(s))), evilDigest(s)],
    detail: { bip32_path_list: ["m/44/60/0/0/0", "m/44/60/0/0/0"], tweak_list: ["", ""] },
  })),
  must("tx-no-digest", "critical", "an empty list of digests", () => ({ hashes: [] })),
  must("tx-no-raw", "critical", "a transaction of which only the words are given", () => ({ raw: "absent" })),
  must("tx-unknown-destination", "critical", "a destination that is on no list", (s) => {
    const to = copy(s.to).reverse()
    return { transfer: { to }, shown: { address: addressOf(to) } }
  }),
  must("tx-look-alike", "critical", "a destination with the same first and last digits", (s) => {
    const to = lookAlike(s)
    return { transfer: { to }, shown: { address: addressOf(to) } }
  }),
  must(
    "tx-other-destination-than-shown",
    "critical",
    "a raw transaction that pays another address than is shown",
    (s) => ({
      transfer: { to: lookAlike(s) },
    }),
  ),
  must("tx-other-amount-than-shown", "critical", "a raw amount a billion times the shown one (wei for gwei)", (s) => ({
    transfer: { value: s.amount * 1_000_000_000n },
  })),
  must("tx-small-amount-shown-large", "major", "a raw amount below the shown one", (s) => ({
    transfer: { value: s.amount / 1_000_000_000n },
  })),
  must("tx-any-amount", "critical", "an amount of more ether than exists", (s) => {
    const value = 10n ** 27n + s.amount
    return { transfer: { value }, shown: { amount: formatDecimal(value, 18) } }
  }),
  must("tx-any-fee", "major", "a fee of more ether than exists", () => ({ transfer: { gasPrice: 10n ** 23n } })),
  must("tx-other-chain", "critical", "the same transfer on another chain", (s) => ({
    transfer: { chainId: s.chainId + 40_000n },
  })),
  must("tx-no-chain", "critical", "a transfer without a chain id, valid on every chain", () => ({
    encode: withoutChain,
  })),
  must("tx-contract-creation", "critical", "the creation of a contract", () => ({
    transfer: { to: new Uint8Array(0) },
  })),
  must("tx-hidden-call", "major", "a transfer that carries call data", () => ({
    transfer: { data: utf8("\u0009\u005ehidden") },
  })),
  must("tx-delegation", "critical", "a payment with an EIP-7702 delegation behind it", () => ({ encode: delegating })),
  must("tx-trailing-bytes", "major", "bytes after the raw transaction", () => ({
    encode: (t) => concat(legacy(t), u8(0)),
  })),
  must("tx-other-encoding", "major", "an amount with a leading zero", () => ({ encode: padded })),
  must("tx-wrong-checksum", "minor", "a shown address with a wrong checksum", (s) => ({
    shown: { address: wrongChecksum(s) },
  })),
  must("tx-foreign-letters", "minor", "a shown address with a Cyrillic letter in it", (s) => ({
    shown: { address: `0\u0445${addressOf(s.to).slice(2)}` },
  })),
  must("tx-other-signature-type", "minor", "a Schnorr signature over the digest", () => ({
    detail: { signature_type: 3 },
  })),
]

function must(id: string, severity: Severity, what: string, over: (sample: Sample, kit: Kit) => SignOver): Case {
  return {
    id,
    severity,
    title: `refuses ${what}`,
    needs: "transaction",
    run: async (kit) => {
      if (kit.sample === undefined) return undefined
      return approves(await ask(kit, id, signBody(kit, over(kit.sample, kit)))) ? "it approved" : undefined
    },
  }
}

/** Same first and last four digits, other middle: what a glance at a screen does not see. */
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
