/**
 * A wallet of a second implementation: plans of transactions, encoded as PSBTs by bitcoinjs-lib (version 0) and btc-signer
 * (version 2), and the reading that such a PSBT must have, worked out from the plan and by bitcoinjs-lib's digests.
 */
import * as btcSigner from "@scure/btc-signer"
import * as bitcoin from "bitcoinjs-lib"
import * as ecc from "tiny-secp256k1"
import { type Bytes, copy, toHex } from "../../../src/bytes.ts"
import { BITCOIN } from "../../../src/intent/caip.ts"
import { type Asked, type Context, DEFAULT_SETTINGS } from "../../../src/intent/decoder.ts"
import type { Effect, Reading } from "../../../src/intent/reading.ts"
import { neuter, rootPrivateKey } from "../../../src/keys/extendedKey.ts"
import { formatPath } from "../../../src/keys/path.ts"
import { derivePublicKey } from "../../support/extendedKeys.ts"

bitcoin.initEccLib(ecc)

export const ROOT = neuter(rootPrivateKey("secp256k1", 0x5eed_5eed_5eedn, new Uint8Array(32).fill(7)))

const derived = new Map<string, Bytes>()
/** The group's key at a path, 33 bytes. */
export function keyAt(path: readonly number[]): Bytes {
  const name = formatPath(path)
  const known = derived.get(name) ?? derivePublicKey(ROOT, path).publicKey
  derived.set(name, known)
  return known
}

export const CHAINS = {
  mainnet: BITCOIN,
  testnet3: "bip122:000000000933ea01ad0ee984209779ba",
  testnet4: "bip122:00000000da84f2bafbbc53dee25a72ae",
  signet: "bip122:00000008819873e925422c1ff0f99f7c",
  regtest: "bip122:0f9188f13cb7b2c71f2a335e3a4fc328",
} as const
export type ChainName = keyof typeof CHAINS

const networkOf = (chain: ChainName): bitcoin.Network =>
  chain === "mainnet"
    ? bitcoin.networks.bitcoin
    : chain === "regtest"
      ? bitcoin.networks.regtest
      : bitcoin.networks.testnet

export const contextOf = (
  messages: readonly Asked[],
  chain: ChainName = "mainnet",
  changeLimit = 100_000,
): Context => ({
  curve: "secp256k1",
  messages,
  derive: keyAt,
  chains: [CHAINS[chain]],
  settings: { ...DEFAULT_SETTINGS, bitcoin: { changeLimit } },
})

// ---- plans ---------------------------------------------------------------------------------------------------------

export type Kind = "p2pkh" | "p2sh-p2wpkh" | "p2wpkh" | "p2tr" | "rawtr" | "p2tr-tree"
export const KINDS: readonly Kind[] = ["p2pkh", "p2sh-p2wpkh", "p2wpkh", "p2tr", "rawtr", "p2tr-tree"]
export const isTaproot = (kind: Kind): boolean => kind === "p2tr" || kind === "rawtr" || kind === "p2tr-tree"

export interface Mine {
  readonly kind: Kind
  readonly path: readonly number[]
}

export interface PlannedInput {
  /** Undefined: of somebody else. */
  readonly mine: Mine | undefined
  readonly script: Bytes
  readonly amount: bigint
  readonly previous: bitcoin.Transaction
  readonly index: number
  readonly sequence: number
  readonly sighashType: number | undefined
  /** What of it stands in the PSBT. */
  readonly gives: { readonly previous: boolean; readonly witness: boolean; readonly hint: boolean }
}

export interface PlannedOutput {
  readonly role: "change" | "own" | "foreign" | "data"
  readonly mine: Mine | undefined
  readonly script: Bytes
  readonly amount: bigint
  /** Of an OP_RETURN output. */
  readonly data?: Bytes
}

export interface Plan {
  readonly version: 0 | 2
  readonly chain: ChainName
  readonly txVersion: number
  readonly lockTime: number
  readonly inputs: readonly PlannedInput[]
  readonly outputs: readonly PlannedOutput[]
  /** Indices of our inputs, in the order of the task's messages. */
  readonly order: readonly number[]
}

/** The merkle root of every tree of scripts here: its one leaf is as good as any. */
export const MERKLE_ROOT = copy(bitcoin.crypto.sha256(new Uint8Array([1])))

export function scriptOf({ kind, path }: Mine): Bytes {
  const pubkey = keyAt(path)
  const internalPubkey = pubkey.subarray(1)
  const payment = {
    p2pkh: () => bitcoin.payments.p2pkh({ pubkey }),
    "p2sh-p2wpkh": () => bitcoin.payments.p2sh({ redeem: bitcoin.payments.p2wpkh({ pubkey }) }),
    p2wpkh: () => bitcoin.payments.p2wpkh({ pubkey }),
    p2tr: () => bitcoin.payments.p2tr({ internalPubkey }),
    rawtr: () => bitcoin.payments.p2tr({ pubkey: internalPubkey }),
    "p2tr-tree": () => bitcoin.payments.p2tr({ internalPubkey, hash: MERKLE_ROOT }),
  }[kind]()
  return copy(payment.output ?? new Uint8Array())
}

export const addressOf = (script: Uint8Array, chain: ChainName): string =>
  bitcoin.address.fromOutputScript(script, networkOf(chain))

/** What the task's messages say, in their order. */
export const askedOf = (plan: Plan): readonly Asked[] =>
  plan.order.map((input) => {
    const { mine } = plan.inputs[input]!
    return asked(mine!, input)
  })

export function asked({ kind, path }: Mine, input: number): Asked {
  const publicKey = keyAt(path)
  if (!isTaproot(kind)) return { path, publicKey, signature: "ECDSA", input }
  const schnorr: Asked = { path, publicKey, signature: "Schnorr", input }
  if (kind === "rawtr") return schnorr
  return { ...schnorr, merkleRoot: kind === "p2tr" ? new Uint8Array(0) : MERKLE_ROOT }
}

// ---- encoders ------------------------------------------------------------------------------------------------------

export const encode = (plan: Plan): Bytes => (plan.version === 0 ? encodeV0(plan) : encodeV2(plan))

export function encodeV0(plan: Plan): Bytes {
  const psbt = new bitcoin.Psbt({ maximumFeeRate: 1e12 })
  psbt.setVersion(plan.txVersion)
  psbt.setLocktime(plan.lockTime)
  for (const input of plan.inputs) {
    psbt.addInput({
      hash: input.previous.getHash(),
      index: input.index,
      sequence: input.sequence,
      ...inputFields(input),
    })
  }
  // The library takes a 0 for nothing when it is added, and writes it when it is there.
  for (const [i, { sighashType }] of plan.inputs.entries()) {
    if (sighashType === 0) psbt.data.inputs[i]!.sighashType = 0
  }
  for (const output of plan.outputs) {
    psbt.addOutput({ script: output.script, value: output.amount, ...hintFields(output.mine) })
  }
  return copy(psbt.toBuffer())
}

function inputFields({ mine, previous, script, amount, sighashType, gives }: PlannedInput) {
  return {
    ...(gives.previous ? { nonWitnessUtxo: previous.toBuffer() } : {}),
    ...(gives.witness ? { witnessUtxo: { script, value: amount } } : {}),
    ...(sighashType === undefined || sighashType === 0 ? {} : { sighashType }),
    ...(mine?.kind === "p2sh-p2wpkh"
      ? { redeemScript: bitcoin.payments.p2wpkh({ pubkey: keyAt(mine.path) }).output! }
      : {}),
    ...(gives.hint ? hintFields(mine) : {}),
    ...(gives.hint && mine?.kind === "p2tr-tree" ? { tapMerkleRoot: MERKLE_ROOT } : {}),
  }
}

const FINGERPRINT = new Uint8Array([1, 2, 3, 4])

function hintFields(mine: Mine | undefined) {
  if (mine === undefined) return {}
  const pubkey = keyAt(mine.path)
  const origin = { masterFingerprint: FINGERPRINT, path: formatPath(mine.path) }
  if (!isTaproot(mine.kind)) return { bip32Derivation: [{ pubkey, ...origin }] }
  const x = pubkey.subarray(1)
  const tapBip32Derivation = [{ pubkey: x, leafHashes: [], ...origin }]
  return mine.kind === "rawtr" ? { tapBip32Derivation } : { tapInternalKey: x, tapBip32Derivation }
}

export function encodeV2(plan: Plan): Bytes {
  const tx = new btcSigner.Transaction({
    PSBTVersion: 2,
    version: plan.txVersion,
    lockTime: plan.lockTime,
    allowUnknownInputs: true,
    allowUnknownOutputs: true,
    allowUnknownVersion: true,
    disableScriptCheck: true,
  })
  for (const { previous, index, sequence, script, amount, mine, sighashType, gives } of plan.inputs) {
    tx.addInput({
      txid: copy(previous.getHash()).reverse(),
      index,
      sequence,
      ...(gives.previous ? { nonWitnessUtxo: previous.toBuffer() } : {}),
      ...(gives.witness ? { witnessUtxo: { script, amount } } : {}),
      ...(sighashType === undefined ? {} : { sighashType }),
      ...(mine?.kind === "p2sh-p2wpkh"
        ? { redeemScript: bitcoin.payments.p2wpkh({ pubkey: keyAt(mine.path) }).output! }
        : {}),
      ...(gives.hint ? hintFieldsV2(mine) : {}),
      ...(gives.hint && mine?.kind === "p2tr-tree" ? { tapMerkleRoot: MERKLE_ROOT } : {}),
    })
  }
  for (const { script, amount, mine } of plan.outputs) tx.addOutput({ script, amount, ...hintFieldsV2(mine) })
  return copy(tx.toPSBT(2))
}

function hintFieldsV2(mine: Mine | undefined) {
  if (mine === undefined) return {}
  const key = keyAt(mine.path)
  const der = { fingerprint: 0x01020304, path: [...mine.path] }
  if (!isTaproot(mine.kind)) return { bip32Derivation: [[key, der]] as [Uint8Array, typeof der][] }
  const x = key.slice(1)
  const tap = { hashes: [] as Uint8Array[], der }
  const tapBip32Derivation = [[x, tap]] as [Uint8Array, typeof tap][]
  return mine.kind === "rawtr" ? { tapBip32Derivation } : { tapInternalKey: x, tapBip32Derivation }
}

// ---- the reading that is expected ----------------------------------------------------------------------------------

export function unsignedOf(plan: Plan): bitcoin.Transaction {
  const tx = new bitcoin.Transaction()
  tx.version = plan.txVersion
  tx.locktime = plan.lockTime
  for (const { previous, index, sequence } of plan.inputs) tx.addInput(previous.getHash(), index, sequence)
  for (const { script, amount } of plan.outputs) tx.addOutput(script, amount)
  return tx
}

export function digestOf(plan: Plan, index: number): Bytes {
  const tx = unsignedOf(plan)
  const { mine, script, amount, sighashType } = plan.inputs[index]!
  const { kind, path } = mine!
  if (isTaproot(kind)) {
    const scripts = plan.inputs.map((input) => input.script)
    const amounts = plan.inputs.map((input) => input.amount)
    return copy(tx.hashForWitnessV1(index, scripts, amounts, sighashType ?? 0))
  }
  if (kind === "p2pkh") return copy(tx.hashForSignature(index, script, 1))
  const code = bitcoin.payments.p2pkh({ pubkey: keyAt(path) }).output!
  return copy(tx.hashForWitnessV0(index, code, amount, 1))
}

export function expectedReading(plan: Plan): Reading {
  const { chain } = plan
  const asset = `${CHAINS[chain]}/slip44:${chain === "mainnet" ? 0 : 1}`
  const from = [...new Set(plan.order.map((index) => addressOf(plan.inputs[index]!.script, chain)))]
  const sender = from[0]!
  const effects = plan.outputs.flatMap((output): readonly Effect[] => {
    const { role, script, amount, mine, data } = output
    if (role === "change") return []
    if (role === "data") {
      const lost: Effect = { kind: "transfer", from: sender, to: `script:${toHex(script)}`, asset, amount }
      const memo: Effect = { kind: "memo", data: data! }
      return amount > 0n ? [memo, lost] : [memo]
    }
    const transfer: Effect = { kind: "transfer", from: sender, to: nameOf(script, chain), asset, amount }
    return mine === undefined ? [transfer] : [{ ...transfer, toPath: formatPath(mine.path) }]
  })
  const sum = (amounts: readonly { readonly amount: bigint }[]) =>
    amounts.reduce((total, { amount }) => total + amount, 0n)
  return {
    format: "bitcoin/psbt",
    chain: CHAINS[chain],
    from,
    effects: effects.length > 0 ? effects : [{ kind: "self", from: sender }],
    fee: { max: sum(plan.inputs) - sum(plan.outputs), asset, unbounded: false },
    nonce: plan.inputs.map(({ previous, index }) => `${previous.getId()}:${index}`).join(" "),
    signs: plan.order.map((input) => ({
      path: plan.inputs[input]!.mine!.path,
      input,
      bytes: digestOf(plan, input),
    })),
  }
}

function nameOf(script: Bytes, chain: ChainName): string {
  try {
    return addressOf(script, chain)
  } catch {
    return `script:${toHex(script)}`
  }
}
