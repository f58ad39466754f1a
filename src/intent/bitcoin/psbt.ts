/**
 * `bitcoin/psbt`: what it means to sign inputs of a PSBT. Owns the proof of every amount and script, which inputs must be signed
 * and with which digest, what is change, and the remaining effects and fee.
 *
 * What a signature commits to decides what must be proven. BIP-341 covers the amounts and scripts of all inputs, so a lie
 * about one gives a digest that no network accepts. BIP-143 covers only the amount of its own input. Two sessions over one
 * transaction, each with the true amount of the input that it signs and a false amount of the other, would give two valid signatures and
 * could pay any fee. So if one of our inputs is not Taproot, every input must come with the transaction that it spends from.
 */
import { formatPath } from "../../keys/path.ts"
import { formatDecimal } from "../amount.ts"
import { BITCOIN } from "../caip.ts"
import { type Context, type Decoder, demandSignature, onlyChain } from "../decoder.ts"
import { attempt, refuse } from "../problem.ts"
import type { Account, Decoded, Effect, Reading, Sign } from "../reading.ts"
import { NETWORKS, type Network } from "./network.ts"
import { type Owned, OwnKeys } from "./ownKeys.ts"
import { type Psbt, readPsbt } from "./psbtFields.ts"
import { carriedData, destinationOf, isTaproot, templateOf } from "./scripts.ts"
import { claimedInputs, type SignedInput, signableInputs } from "./signedInputs.ts"
import { proveSpent, type SpentOutput } from "./spent.ts"
import { type BitcoinTransaction, outpointText, type TxOutput } from "./transaction.ts"

export const psbtDecoder: Decoder = {
  format: "bitcoin/psbt",
  decode: (data, context) => attempt(() => decode(data, context)),
}

function decode(data: Uint8Array, context: Context): Decoded {
  demandSignature(context, "secp256k1", ["ECDSA", "Schnorr"])
  const network = networkOf(context)
  const psbt = readPsbt(data)
  const spent = proveSpent(psbt)
  const offline = context.messages.length === 0
  const signed = offline ? signableInputs(psbt, spent) : claimedInputs(psbt, spent, context)
  demandPrevious(signed, spent)

  const own = new OwnKeys(context)
  demandAllOwnSigned(psbt, spent, signed, own)
  const isChange = changeRule(signed, context.settings.bitcoin.changeLimit)
  const outputs = psbt.tx.outputs.map((output, index) => {
    const owned = offline ? undefined : own.find(output.script, psbt.outputs[index]?.hints ?? [])
    return { output, owned, change: owned !== undefined && isChange(owned) }
  })
  return reading({ psbt, spent, signed, outputs, network, offline })
}

export function networkOf(context: Context): Network {
  const chain = onlyChain(context, "bip122", BITCOIN)
  return NETWORKS.get(chain) ?? refuse("E-INT-074", "chain", chain)
}

function demandPrevious(signed: readonly SignedInput[], spent: readonly SpentOutput[]): void {
  if (signed.every(({ type }) => isTaproot(type))) return
  const lacking = spent.findIndex(({ proven }) => !proven)
  if (lacking !== -1) refuse("E-INT-066", `input ${lacking}`, "PSBT_IN_NON_WITNESS_UTXO is missing")
}

/** A payload asks its key for all of its inputs at once: an input that is left out could be signed under another reading. */
function demandAllOwnSigned(
  psbt: Psbt,
  spent: readonly SpentOutput[],
  signed: readonly SignedInput[],
  own: OwnKeys,
): void {
  if (own.context.messages.length === 0) return
  const claimed = new Set(signed.map(({ index }) => index))
  for (const [index, { output }] of spent.entries()) {
    if (claimed.has(index)) continue
    const { hints = [], merkleRoot } = psbt.inputs[index] ?? {}
    const owned = own.find(output.script, hints, merkleRoot)
    if (owned !== undefined) refuse("E-INT-071", `input ${index}`, `it is ours at ${formatPath(owned.path)}`)
  }
}

/** Change as in BIP-44: on branch 1 beside an input that we sign, at an index up to the limit, and owned in the same way as that input. */
function changeRule(signed: readonly SignedInput[], limit: number): (owned: Owned) => boolean {
  const accountOf = ({ type, path }: Owned): string => `${type} ${formatPath(path.slice(0, -2))}`
  const accounts = new Set(
    signed.flatMap(({ type, path = [] }) => (path.length < 2 ? [] : [accountOf({ type, path })])),
  )
  return (owned) => {
    const [branch, index] = owned.path.slice(-2)
    return branch === 1 && index !== undefined && index <= limit && accounts.has(accountOf(owned))
  }
}

// ---- the reading ---------------------------------------------------------------------------------------------------

interface ProvenOutput {
  readonly output: TxOutput
  readonly owned: Owned | undefined
  readonly change: boolean
}

interface ProvenPsbt {
  readonly psbt: Psbt
  readonly spent: readonly SpentOutput[]
  readonly signed: readonly SignedInput[]
  readonly outputs: readonly ProvenOutput[]
  readonly network: Network
  readonly offline: boolean
}

function reading(proven: ProvenPsbt): Reading {
  const { psbt, spent, signed, network, offline } = proven
  const addresses = signed.map(({ index }) => destinationOf(outputAt(spent, index).script, network))
  const from = offline ? [] : [...new Set(addresses)]
  // Coins of several addresses are spent together; the effects name the first address that this task signs for.
  const sender: Account = from[0] ?? { unresolved: "no key was given" }
  const effects = proven.outputs.flatMap((output) => effectsOf(output, sender, network))
  return {
    format: "bitcoin/psbt",
    chain: network.chain,
    from,
    effects: effects.length > 0 ? effects : [{ kind: "self", from: sender }],
    fee: { max: feeOf(proven), asset: network.asset, unbounded: false },
    nonce: psbt.tx.inputs.map(({ outpoint }) => outpointText(outpoint)).join(" "),
    signs: signed.map(({ index, path, digest }): Sign => ({ path, input: index, bytes: digest })),
    notes: notesOf(proven),
  }
}

const feeOf = ({ spent, outputs }: ProvenPsbt): bigint => {
  const paidIn = spent.reduce((sum, { output }) => sum + output.amount, 0n)
  const paidOut = outputs.reduce((sum, { output }) => sum + output.amount, 0n)
  if (paidOut > paidIn) refuse("E-INT-073", "outputs", `they pay ${paidOut} and the inputs have ${paidIn}`)
  return paidIn - paidOut
}

function effectsOf({ output, owned, change }: ProvenOutput, from: Account, network: Network): readonly Effect[] {
  if (change) return []
  const { amount, script } = output
  const to = destinationOf(script, network)
  const transfer: Effect = { kind: "transfer", from, to, asset: network.asset, amount }
  if (owned !== undefined) return [{ ...transfer, toPath: formatPath(owned.path) }]
  if (templateOf(script).kind !== "op_return") return [transfer]
  // Nobody can spend such an output. An amount in it is lost, and counts as a destination like any other.
  const memo: Effect = { kind: "memo", data: carriedData(script) }
  return amount > 0n ? [memo, transfer] : [memo]
}

const outputAt = (spent: readonly SpentOutput[], index: number): TxOutput => {
  const output = spent[index]?.output
  if (output === undefined) throw new RangeError(`there is no input ${index}`)
  return output
}

// ---- what is no effect and is shown --------------------------------------------------------------------------------

function notesOf({ psbt, spent, signed, outputs, network, offline }: ProvenPsbt): readonly string[] {
  const coins = (amount: bigint): string => `${formatDecimal(amount, 8)} BTC`
  const changes = outputs.flatMap(({ output, owned, change }) =>
    change && owned !== undefined
      ? [`change ${coins(output.amount)} to ${destinationOf(output.script, network)} (${formatPath(owned.path)})`]
      : [],
  )
  const ours = new Set(signed.map(({ index }) => index))
  const foreign = offline ? [] : spent.filter((_, index) => !ours.has(index))
  const foreignAmount = foreign.reduce((sum, { output }) => sum + output.amount, 0n)
  return [
    ...changes,
    ...lockOf(psbt.tx),
    ...(foreign.length > 0 ? [`${foreign.length} inputs of others pay in ${coins(foreignAmount)}`] : []),
    ...(psbt.unknown > 0 ? [`${psbt.unknown} unknown keys were passed over`] : []),
    ...(psbt.proprietary > 0 ? [`${psbt.proprietary} proprietary keys were passed over`] : []),
  ]
}

const FIRST_TIME = 500_000_000
const FINAL_SEQUENCE = 0xffff_ffff

/** nLockTime, if some input leaves it in force: the transaction may take effect long after it is signed. */
function lockOf({ lockTime, inputs }: BitcoinTransaction): readonly string[] {
  if (lockTime === 0 || inputs.every(({ sequence }) => sequence === FINAL_SEQUENCE)) return []
  return [lockTime < FIRST_TIME ? `not valid before block ${lockTime}` : `not valid before Unix time ${lockTime}`]
}
