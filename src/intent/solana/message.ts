/**
 * `solana/message`: a transaction's message, legacy or version 0, which Ed25519 signs directly.
 *
 * A reading has no `nonce`, even if a durable nonce is advanced. The message does not show whether its blockhash field holds a nonce or a
 * recent blockhash, and two transactions with one recent blockhash can both take effect. So none replaces another.
 */
import { SOLANA } from "../caip.ts"
import { type Context, type Decoder, demandSignature, onlyChain } from "../decoder.ts"
import { attempt } from "../problem.ts"
import type { Account, Effect, Fee, Reading } from "../reading.ts"
import { readAssociated } from "./associated.ts"
import { transactionFee } from "./budget.ts"
import { readMessage } from "./layout.ts"
import { readLoader } from "./loader.ts"
import { readMemo } from "./memo.ts"
import {
  ASSOCIATED_TOKEN,
  COMPUTE_BUDGET,
  MEMO_1,
  MEMO_3,
  MEMO_4,
  STAKE,
  SYSTEM,
  TOKEN,
  TOKEN_2022,
  UPGRADEABLE_LOADER,
} from "./programs.ts"
import { accountsOf, callOf, type Instruction, instructionsOf, type Outcome, only, type Scene } from "./scene.ts"
import { signersOf } from "./signers.ts"
import { readStake } from "./stake.ts"
import { isNonceAdvance, readSystem } from "./system.ts"
import { readToken } from "./token.ts"

export const solanaMessage: Decoder = {
  format: "solana/message",
  decode: (data, context) => attempt(() => decode(data, context)),
}

type InstructionReader = (instruction: Instruction, scene: Scene) => Outcome

const READERS: ReadonlyMap<string, InstructionReader> = new Map([
  [SYSTEM, readSystem],
  [TOKEN, readToken],
  [TOKEN_2022, readToken],
  [ASSOCIATED_TOKEN, readAssociated],
  [MEMO_1, readMemo],
  [MEMO_3, readMemo],
  [MEMO_4, readMemo],
  [STAKE, readStake],
  [UPGRADEABLE_LOADER, readLoader],
  // transactionFee reads these instructions together
  [COMPUTE_BUDGET, () => only()],
])

const readCall: InstructionReader = (instruction, scene) => only(callOf(instruction, scene))

function decode(data: Uint8Array, context: Context): Reading {
  demandSignature(context, "ed25519", ["EdDSA"])
  const chain = onlyChain(context, "solana", SOLANA)
  const message = readMessage(data)
  const required = message.keys.slice(0, message.requiredSignatures)
  const { from, signs } = signersOf(context, required, data)
  const [feePayer = ""] = required
  const scene: Scene = {
    chain,
    native: `${chain}/slip44:501`,
    feePayer,
    isOurs: (account) => context.messages.length === 0 || from.some((one) => one === account),
    mints: context.settings.solana.mints,
  }
  const instructions = instructionsOf(message, accountsOf(message, context.settings.solana.lookupTables))
  const outcomes = instructions.map((one) => (READERS.get(one.program) ?? readCall)(one, scene))
  const effects = outcomes.flatMap(({ effects }) => effects)
  const notes = [
    ...(scene.isOurs(feePayer) ? [] : [`${feePayer} pays the fee`]),
    ...outcomes.flatMap(({ note }) => (note === undefined ? [] : [note])),
  ]
  const [first] = instructions
  return {
    format: "solana/message",
    chain,
    from,
    effects: effects.length > 0 ? effects : [nothing(from)],
    fee: feeOf(scene, transactionFee(message.requiredSignatures, instructions), outcomes),
    ...(first !== undefined && isNonceAdvance(first) ? {} : { expires: `blockhash ${message.blockhash}` }),
    signs,
    ...(notes.length === 0 ? {} : { notes }),
  }
}

const nothing = (from: readonly string[]): Effect => {
  const [account]: readonly (Account | undefined)[] = from
  return { kind: "self", from: account ?? { unresolved: "no signer was given" } }
}

/** A foreign fee payer pays for signatures and priority; whoever funds associated accounts pays their rent. */
function feeOf(scene: Scene, fee: bigint, outcomes: readonly Outcome[]): Fee {
  const rent = outcomes.reduce((sum, { rent = 0n }) => sum + rent, 0n)
  return { max: (scene.isOurs(scene.feePayer) ? fee : 0n) + rent, asset: scene.native, unbounded: false }
}
