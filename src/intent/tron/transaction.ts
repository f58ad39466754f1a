/**
 * `tron/transaction`: the raw data of a transaction, whose SHA-256 is signed. It has exactly one contract. The contract's owner
 * is the key's own account or, under a permission other than the owner's, an account that gave the key that permission.
 *
 * A transaction has no nonce: two transactions never replace one another, and each lives until it expires.
 */
import { type Bytes, equal, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { tronAddress } from "../../keys/addresses.ts"
import { TRON } from "../caip.ts"
import { type Context, type Decoder, demandSignature, onlyChain, onlyMessage } from "../decoder.ts"
import { attempt, refuse } from "../problem.ts"
import type { Effect, Reading } from "../reading.ts"
import { addressOf } from "./address.ts"
import { readContract } from "./contracts.ts"
import { maxFee } from "./fee.ts"
import { ProtobufFields } from "./protobuf.ts"
import { CONTRACT_TYPES, RAW } from "./schemas.ts"

export const tronTransaction: Decoder = {
  format: "tron/transaction",
  decode: (data, context) => attempt(() => decode(data, context)),
}

const URL = "type.googleapis.com/protocol."
/** 0 is the owner's, 1 the witness's, then 8 active ones. */
const MAX_PERMISSION = 9n

function decode(payload: Uint8Array, context: Context): Reading {
  demandSignature(context, "secp256k1", ["ECDSA"])
  const message = onlyMessage(context)
  const chain = onlyChain(context, "tron", TRON)
  const native = `${chain}/slip44:195`
  const raw = new ProtobufFields(payload, RAW)
  checkReference(raw)
  const { type, permission, value, data } = contractOf(raw)
  const owner = addressOf(value.bytes("owner_address"), "owner_address")
  const ours = message === undefined ? owner : tronAddress(message.publicKey)
  if (owner !== ours && permission === 0n)
    refuse("E-INT-125", "owner_address", `it is ${owner}, and the key's account is ${ours}`)
  const id = sha256(payload)
  const memo = raw.bytes("data")
  const effects = [
    ...readContract({ chain, native, type, owner, value, data, id }),
    ...(memo.length === 0 ? [] : [{ kind: "memo", data: memo } satisfies Effect]),
  ]
  const feeLimit = raw.int("fee_limit")
  const charged = { type, rawLength: payload.length, feeLimit, hasMemo: memo.length > 0, shared: permission !== 0n }
  const max = maxFee(charged, context.settings.tron.bandwidthPrice)
  return {
    format: "tron/transaction",
    chain,
    from: [ours],
    effects,
    fee: { max, asset: native, unbounded: false },
    expires: `${raw.int("expiration") / 1000n}`,
    signs: [{ path: message?.path, bytes: id }],
    ...(permission === 0n ? {} : { notes: [`under permission ${permission} of ${owner}`] }),
  }
}

/** The block that it refers to, and its expiration: without them no full node accepts it. */
function checkReference(raw: ProtobufFields): void {
  const [number, hash] = [raw.bytes("ref_block_bytes"), raw.bytes("ref_block_hash")]
  if (number.length !== 2 || hash.length !== 8)
    refuse("E-INT-126", "ref_block_bytes, ref_block_hash", `${number.length} and ${hash.length} bytes, not 2 and 8`)
  if (raw.int("expiration") === 0n) refuse("E-INT-126", "expiration", "it never expires")
}

interface ContractFields {
  readonly type: string
  readonly permission: bigint
  readonly value: ProtobufFields
  readonly data: Bytes
}

function contractOf(raw: ProtobufFields): ContractFields {
  const contract = raw.message("contract") ?? refuse("E-INT-121", "contract", "none")
  const type = CONTRACT_TYPES.get(contract.int("type"))
  if (type === undefined) return refuse("E-INT-122", "contract.type", `number ${contract.int("type")} is not known`)
  const parameter = contract.message("parameter") ?? refuse("E-INT-122", "contract.parameter", "it is missing")
  const data = parameter.bytes("value")
  if (!equal(parameter.bytes("type_url"), utf8(`${URL}${type.name}`)))
    return refuse("E-INT-122", "contract.parameter.type_url", `the type is ${type.name}, and the URL another's`)
  const permission = contract.int("Permission_id")
  if (permission > MAX_PERMISSION) return refuse("E-INT-123", "contract.Permission_id", `number ${permission}`)
  return { type: type.name, permission, data, value: new ProtobufFields(data, type.schema, parameter.placeOf("value")) }
}
