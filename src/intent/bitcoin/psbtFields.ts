/**
 * The fields of PSBTs, versions 0 and 2 (BIP-174, 370, 371, 373), and what this node takes from them: the transaction, the
 * claimed spent outputs, and hints at paths. Owns the list of known keys and the transaction that a version 2 describes.
 * Nothing here is trusted: psbt.ts proves what can be proven and refuses the rest.
 */
import { HARDENED, MAX_DEPTH } from "../../keys/path.ts"
import { Cursor } from "../cursor.ts"
import { refuse } from "../problem.ts"
import { MAX_EFFECTS } from "../reading.ts"
import { compactSize } from "./compactSize.ts"
import {
  type Entry,
  type PsbtField,
  type PsbtFields,
  type PsbtMap,
  type PsbtVersion,
  psbtCursor,
  readMap,
} from "./psbtMaps.ts"
import {
  type BitcoinTransaction,
  MAX_MONEY,
  type PlacedBytes,
  readTransaction,
  type TxInput,
  type TxOutput,
} from "./transaction.ts"

/** A path that the payload states for a key. It counts only once the node has derived that key itself. */
export interface Hint {
  /** 33 bytes; with even y if the payload gives only x. */
  readonly publicKey: Uint8Array
  readonly path: readonly number[]
}

export interface PsbtInput {
  /** PSBT_IN_NON_WITNESS_UTXO: the transaction that is spent from, as bytes. */
  readonly previous: PlacedBytes | undefined
  /** PSBT_IN_WITNESS_UTXO: the output that is spent, as bytes. */
  readonly witnessUtxo: PlacedBytes | undefined
  readonly sighashType: number | undefined
  readonly redeemScript: Uint8Array | undefined
  /** x of the key before its tweak. */
  readonly internalKey: Uint8Array | undefined
  readonly merkleRoot: Uint8Array | undefined
  readonly hints: readonly Hint[]
}

interface PsbtOutput {
  readonly hints: readonly Hint[]
}

export interface Psbt {
  readonly tx: BitcoinTransaction
  /** As long as tx.inputs. */
  readonly inputs: readonly PsbtInput[]
  /** As long as tx.outputs. */
  readonly outputs: readonly PsbtOutput[]
  /** Number of keys that no BIP known here defines, and of proprietary ones. They are skipped, and their number is shown. */
  readonly unknown: number
  readonly proprietary: number
}

const MAX_INPUTS = 4096

const none = (length: number): boolean => length === 0
const any = (): boolean => true
const exactly =
  (...lengths: readonly number[]) =>
  (length: number): boolean =>
    lengths.includes(length)
const fingerprintAndPath = (length: number): boolean => length >= 4 && length % 4 === 0
const aPublicKey = exactly(33, 65)
const aSignature = exactly(64, 65)

const field = (
  name: string,
  keyData: PsbtField["keyData"],
  value: PsbtField["value"],
  only?: PsbtVersion,
): PsbtField => (only === undefined ? { name, keyData, value } : { name, keyData, value, only })

const GLOBAL: PsbtFields = new Map([
  [0x00, field("PSBT_GLOBAL_UNSIGNED_TX", none, any, 0)],
  [0x01, field("PSBT_GLOBAL_XPUB", exactly(78), fingerprintAndPath)],
  [0x02, field("PSBT_GLOBAL_TX_VERSION", none, exactly(4), 2)],
  [0x03, field("PSBT_GLOBAL_FALLBACK_LOCKTIME", none, exactly(4), 2)],
  [0x04, field("PSBT_GLOBAL_INPUT_COUNT", none, exactly(1, 3, 5), 2)],
  [0x05, field("PSBT_GLOBAL_OUTPUT_COUNT", none, exactly(1, 3, 5), 2)],
  [0x06, field("PSBT_GLOBAL_TX_MODIFIABLE", none, exactly(1), 2)],
  [0xfb, field("PSBT_GLOBAL_VERSION", none, exactly(4))],
])

const INPUT: PsbtFields = new Map([
  [0x00, field("PSBT_IN_NON_WITNESS_UTXO", none, any)],
  [0x01, field("PSBT_IN_WITNESS_UTXO", none, any)],
  [0x02, field("PSBT_IN_PARTIAL_SIG", aPublicKey, any)],
  [0x03, field("PSBT_IN_SIGHASH_TYPE", none, exactly(4))],
  [0x04, field("PSBT_IN_REDEEM_SCRIPT", none, any)],
  [0x05, field("PSBT_IN_WITNESS_SCRIPT", none, any)],
  [0x06, field("PSBT_IN_BIP32_DERIVATION", aPublicKey, fingerprintAndPath)],
  [0x07, field("PSBT_IN_FINAL_SCRIPTSIG", none, any)],
  [0x08, field("PSBT_IN_FINAL_SCRIPTWITNESS", none, any)],
  [0x09, field("PSBT_IN_POR_COMMITMENT", none, any)],
  [0x0a, field("PSBT_IN_RIPEMD160", exactly(20), any)],
  [0x0b, field("PSBT_IN_SHA256", exactly(32), any)],
  [0x0c, field("PSBT_IN_HASH160", exactly(20), any)],
  [0x0d, field("PSBT_IN_HASH256", exactly(32), any)],
  [0x0e, field("PSBT_IN_PREVIOUS_TXID", none, exactly(32), 2)],
  [0x0f, field("PSBT_IN_OUTPUT_INDEX", none, exactly(4), 2)],
  [0x10, field("PSBT_IN_SEQUENCE", none, exactly(4), 2)],
  [0x11, field("PSBT_IN_REQUIRED_TIME_LOCKTIME", none, exactly(4), 2)],
  [0x12, field("PSBT_IN_REQUIRED_HEIGHT_LOCKTIME", none, exactly(4), 2)],
  [0x13, field("PSBT_IN_TAP_KEY_SIG", none, aSignature)],
  [0x14, field("PSBT_IN_TAP_SCRIPT_SIG", exactly(64), aSignature)],
  [
    0x15,
    field(
      "PSBT_IN_TAP_LEAF_SCRIPT",
      (length) => length >= 33 && length % 32 === 1,
      (length) => length > 0,
    ),
  ],
  [0x16, field("PSBT_IN_TAP_BIP32_DERIVATION", exactly(32), any)],
  [0x17, field("PSBT_IN_TAP_INTERNAL_KEY", none, exactly(32))],
  [0x18, field("PSBT_IN_TAP_MERKLE_ROOT", none, exactly(32))],
  [0x1a, field("PSBT_IN_MUSIG2_PARTICIPANT_PUBKEYS", exactly(33), (length) => length > 0 && length % 33 === 0)],
  [0x1b, field("PSBT_IN_MUSIG2_PUB_NONCE", exactly(66, 98), exactly(66))],
  [0x1c, field("PSBT_IN_MUSIG2_PARTIAL_SIG", exactly(66, 98), exactly(32))],
])

const OUTPUT: PsbtFields = new Map([
  [0x00, field("PSBT_OUT_REDEEM_SCRIPT", none, any)],
  [0x01, field("PSBT_OUT_WITNESS_SCRIPT", none, any)],
  [0x02, field("PSBT_OUT_BIP32_DERIVATION", aPublicKey, fingerprintAndPath)],
  [0x03, field("PSBT_OUT_AMOUNT", none, exactly(8), 2)],
  [0x04, field("PSBT_OUT_SCRIPT", none, any, 2)],
  [0x05, field("PSBT_OUT_TAP_INTERNAL_KEY", none, exactly(32))],
  [0x06, field("PSBT_OUT_TAP_TREE", none, (length) => length > 0)],
  [0x07, field("PSBT_OUT_TAP_BIP32_DERIVATION", exactly(32), any)],
  [0x08, field("PSBT_OUT_MUSIG2_PARTICIPANT_PUBKEYS", exactly(33), (length) => length > 0 && length % 33 === 0)],
])

/** The PSBT in all of `data`; otherwise a refusal with E-INT-060 to 064. */
export function readPsbt(data: Uint8Array): Psbt {
  const cursor = psbtCursor(data)
  const global = readMap(cursor, "global", GLOBAL)
  const version = versionOf(global)
  global.demandVersion(version)
  const unsigned = version === 0 ? unsignedOf(global) : undefined
  const inputCount = bounded(unsigned?.inputs.length ?? countOf(global, 0x04), MAX_INPUTS, "inputs")
  if (inputCount === 0) refuse("E-INT-064", "global", "a transaction without inputs")
  const outputCount = bounded(unsigned?.outputs.length ?? countOf(global, 0x05), MAX_EFFECTS, "outputs")

  const maps = (count: number, name: string, fields: PsbtFields): readonly PsbtMap[] =>
    Array.from({ length: count }, (_, index) => {
      const map = readMap(cursor, `${name} ${index}`, fields)
      map.demandVersion(version)
      return map
    })
  const inputMaps = maps(inputCount, "input", INPUT)
  const outputMaps = maps(outputCount, "output", OUTPUT)
  cursor.end()
  if (outputCount === 0) refuse("E-INT-064", "global", "a transaction without outputs")

  const all = [global, ...inputMaps, ...outputMaps]
  return {
    tx: unsigned ?? described(global, inputMaps, outputMaps),
    inputs: inputMaps.map(inputOf),
    outputs: outputMaps.map((map) => ({ hints: hintsOf(map, 0x02, 0x07) })),
    unknown: all.reduce((sum, map) => sum + map.unknown, 0),
    proprietary: all.reduce((sum, map) => sum + map.proprietary, 0),
  }
}

function versionOf(global: PsbtMap): PsbtVersion {
  const version = uint(global.one(0xfb)) ?? 0
  if (version !== 0 && version !== 2) refuse("E-INT-063", "global", `version ${version}, and 0 and 2 are known`)
  return version
}

/** Version 0: a whole transaction whose scriptSigs are empty. */
function unsignedOf(global: PsbtMap): BitcoinTransaction {
  const tx = readTransaction(global.demand(0x00), "none", "E-INT-064")
  const signed = tx.inputs.findIndex(({ scriptSig }) => scriptSig.length > 0)
  if (signed !== -1) refuse("E-INT-064", `input ${signed}`, "a scriptSig in the unsigned transaction")
  return tx
}

function inputOf(map: PsbtMap): PsbtInput {
  return {
    previous: map.one(0x00),
    witnessUtxo: map.one(0x01),
    sighashType: uint(map.one(0x03)),
    redeemScript: map.one(0x04)?.bytes,
    internalKey: map.one(0x17)?.bytes,
    merkleRoot: map.one(0x18)?.bytes,
    hints: hintsOf(map, 0x06, 0x16),
  }
}

const uint = (value: PlacedBytes | undefined): number | undefined =>
  value && new Cursor(value.bytes, "E-INT-062", value.offset).uintLe(4)

function countOf(global: PsbtMap, type: number): number {
  const { bytes, offset } = global.demand(type)
  const cursor = new Cursor(bytes, "E-INT-062", offset)
  const count = compactSize(cursor, "a count")
  cursor.end()
  return count
}

function bounded(count: number, limit: number, what: string): number {
  if (count > limit) refuse("E-INT-003", "global", `${count} ${what}, and ${limit} are read`)
  return count
}

// ---- version 2 -----------------------------------------------------------------------------------------------------

const FINAL_SEQUENCE = 0xffff_ffff
const NO_SCRIPT = new Uint8Array(0)

/** BIP-370: builds the transaction from the maps. */
function described(global: PsbtMap, inputs: readonly PsbtMap[], outputs: readonly PsbtMap[]): BitcoinTransaction {
  const tx = {
    version: uint(global.demand(0x02)) ?? 0,
    inputs: inputs.map(describedInput),
    outputs: outputs.map(describedOutput),
    lockTime: lockTimeOf(global, inputs),
  }
  if (tx.outputs.reduce((sum, { amount }) => sum + amount, 0n) > MAX_MONEY) {
    refuse("E-INT-064", "global", "the outputs together are above 21 million coins")
  }
  return tx
}

function describedInput(map: PsbtMap): TxInput {
  return {
    outpoint: { txid: map.demand(0x0e).bytes, index: uint(map.demand(0x0f)) ?? 0 },
    scriptSig: NO_SCRIPT,
    sequence: uint(map.one(0x10)) ?? FINAL_SEQUENCE,
  }
}

function describedOutput(map: PsbtMap): TxOutput {
  const { bytes, offset } = map.demand(0x03)
  const amount = new Cursor(bytes, "E-INT-062", offset).bigLe(8)
  if (amount > MAX_MONEY) refuse("E-INT-064", map.name, "an amount above 21 million coins")
  return { amount, script: map.demand(0x04).bytes }
}

const FIRST_TIME = 500_000_000

/** BIP-370, "Determining Lock Time": the kind that every input with a lock time allows, height before time; the latest value of it. */
function lockTimeOf(global: PsbtMap, inputs: readonly PsbtMap[]): number {
  const wishes = inputs.map((map) => ({ map, time: uint(map.one(0x11)), height: uint(map.one(0x12)) }))
  for (const { map, time, height } of wishes) {
    if (time !== undefined && time < FIRST_TIME) refuse("E-INT-063", map.name, `${time} is a height, not a time`)
    if (height !== undefined && (height === 0 || height >= FIRST_TIME)) {
      refuse("E-INT-063", map.name, `${height} is not a height`)
    }
  }
  const wishing = wishes.filter(({ time, height }) => time !== undefined || height !== undefined)
  if (wishing.length === 0) return uint(global.one(0x03)) ?? 0
  const latest = (values: readonly (number | undefined)[]): number | undefined =>
    values.reduce((max, value) => (max === undefined || value === undefined ? undefined : Math.max(max, value)), 0)
  return (
    latest(wishing.map(({ height }) => height)) ??
    latest(wishing.map(({ time }) => time)) ??
    refuse("E-INT-063", "global", "one input needs a height as lock time and another a time")
  )
}

// ---- hints ---------------------------------------------------------------------------------------------------------

/** Only non-hardened paths: no other path can lead from a group's key. Keys of 65 bytes are not ours either. */
function hintsOf(map: PsbtMap, plain: number, taproot: number): readonly Hint[] {
  return [
    ...map
      .all(plain)
      .flatMap(({ keyData, value }) => hint(keyData, new Cursor(value.bytes, "E-INT-062", value.offset))),
    ...map.all(taproot).flatMap((entry) => hint(evenKey(entry), behindLeaves(entry))),
  ]
}

function hint(publicKey: Uint8Array, cursor: Cursor): readonly Hint[] {
  cursor.view(4) // the fingerprint of a root; the derived key proves more
  const path = Array.from({ length: cursor.left / 4 }, () => cursor.uintLe(4))
  const usable = publicKey.length === 33 && path.length <= MAX_DEPTH && path.every((index) => index < HARDENED)
  return usable ? [{ publicKey, path }] : []
}

function evenKey({ keyData }: Entry): Uint8Array {
  const key = new Uint8Array(33)
  key[0] = 2
  key.set(keyData, 1)
  return key
}

/** BIP-371: the hashes of the leaves that contain the key precede fingerprint and path. */
function behindLeaves({ value }: Entry): Cursor {
  const cursor = new Cursor(value.bytes, "E-INT-062", value.offset)
  const leaves = compactSize(cursor, "the number of leaf hashes")
  cursor.view(leaves * 32)
  if (!fingerprintAndPath(cursor.left)) {
    refuse("E-INT-062", `byte ${cursor.offset}`, "a fingerprint and a path have four bytes each level")
  }
  return cursor
}
