/** The system program: lamports, new accounts and their owners, durable nonces (SystemInstruction, by number). */
import type { Account, Effect } from "../reading.ts"
import { Data, exactly } from "./data.ts"
import { SYSTEM } from "./programs.ts"
import { accountAt, callOf, type Instruction, type Outcome, only, type Scene } from "./scene.ts"

/** If this is the first instruction, the runtime takes the blockhash for a durable nonce. */
export const isNonceAdvance = ({ program, data }: Instruction): boolean =>
  program === SYSTEM && data.length >= 4 && data[0] === 4 && data[1] === 0 && data[2] === 0 && data[3] === 0

export function readSystem(instruction: Instruction, scene: Scene): Outcome {
  const { data: bytes } = instruction
  if (bytes.length < 4) return only(callOf(instruction, scene))
  const data = new Data(instruction)
  const number = data.u32()
  const at = (index: number, what: string) => accountAt(instruction, index, what)
  const transfer = (from: Account, to: Account, amount: bigint): Effect => ({
    kind: "transfer",
    from,
    to,
    asset: scene.native,
    amount,
  })
  switch (number) {
    case 0: {
      const { lamports, owner } = exactly(data, () => ({ lamports: data.u64(), space: data.u64(), owner: data.key() }))
      const account = at(1, "new account")
      return only(transfer(at(0, "funding account"), account, lamports), ...ownedBy(account, owner))
    }
    case 1: {
      const owner = exactly(data, () => data.key())
      return only(...ownedBy(at(0, "assigned account"), owner))
    }
    case 2: {
      const lamports = exactly(data, () => data.u64())
      return only(transfer(at(0, "sender"), at(1, "recipient"), lamports))
    }
    case 3: {
      const { lamports, owner } = exactly(data, () => ({
        base: data.key(),
        seed: data.seed(),
        lamports: data.u64(),
        space: data.u64(),
        owner: data.key(),
      }))
      const account = at(1, "new account")
      return only(transfer(at(0, "funding account"), account, lamports), ...ownedBy(account, owner))
    }
    case 5: {
      const lamports = exactly(data, () => data.u64())
      return only(transfer(at(0, "nonce account"), at(1, "recipient"), lamports))
    }
    case 8:
      exactly(data, () => data.u64())
      return only(callOf(instruction, scene, "allocate"))
    case 9:
      exactly(data, () => [data.key(), data.seed(), data.u64(), data.key()])
      return only(callOf(instruction, scene, "allocateWithSeed"))
    case 10: {
      const [, , owner] = exactly(data, () => [data.key(), data.seed(), data.key()] as const)
      return only(...ownedBy(at(0, "assigned account"), owner))
    }
    case 11: {
      const [lamports] = exactly(data, () => [data.u64(), data.seed(), data.key()] as const)
      return only(transfer(at(0, "sender"), at(2, "recipient"), lamports))
    }
    case 13: {
      // Like number 0, but the account may already hold lamports; without new lamports nobody funds it.
      const { lamports, owner } = exactly(data, () => ({ lamports: data.u64(), space: data.u64(), owner: data.key() }))
      const account = at(0, "new account")
      const funded = lamports === 0n ? [] : [transfer(at(1, "funding account"), account, lamports)]
      return only(...funded, ...ownedBy(account, owner))
    }
    default:
      return readNonce(number, data, instruction, scene)
  }
}

function readNonce(number: number, data: Data, instruction: Instruction, scene: Scene): Outcome {
  const account = () => accountAt(instruction, 0, "nonce account")
  switch (number) {
    case 4:
      data.end()
      return only({ kind: "nonce", from: account(), authority: accountAt(instruction, 2, "authority of the nonce") })
    case 6:
    case 7: {
      const authority = exactly(data, () => data.key())
      return only({ kind: "set_authority", from: account(), role: "nonce", action: "set", authority })
    }
    case 12:
      data.end()
      return only(callOf(instruction, scene, "upgradeNonceAccount"))
    default:
      return only(callOf(instruction, scene, `${number}`))
  }
}

/** The owner of an account, in the runtime's sense, controls its lamports. Nothing changes if the owner stays the system program. */
const ownedBy = (account: Account, owner: string): readonly Effect[] =>
  owner === SYSTEM
    ? []
    : [{ kind: "set_authority", from: account, role: "owner_program", action: "set", authority: owner }]
