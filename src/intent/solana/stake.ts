/**
 * The stake program: delegation, withdrawal, and who may ask for them (StakeInstruction, by number). Its instructions have two
 * forms of account lists: an older one with sysvars among them, and one without, since the program reads those itself.
 */
import { refuse } from "../problem.ts"
import type { Account, Effect } from "../reading.ts"
import { Data, exactly } from "./data.ts"
import { CLOCK, RENT, STAKE_CONFIG, STAKE_HISTORY, SYSTEM } from "./programs.ts"
import { accountAt, callOf, type Instruction, type Outcome, only, type Scene } from "./scene.ts"

/** Instructions that are read only as calls by name: they have no effect of their own kind. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [6, "setLockup"],
  [12, "setLockupChecked"],
  [13, "getMinimumDelegation"],
  [14, "deactivateDelinquent"],
  [15, "redelegate"],
])

export function readStake(instruction: Instruction, scene: Scene): Outcome {
  const data = new Data(instruction)
  if (data.left < 4) return only(callOf(instruction, scene))
  const number = data.u32()
  const at = (index: number, what: string) => accountAt(instruction, index, what)
  const stake = (action: string, to?: Account, amount = 0n): Effect => {
    const from = at(0, "stake account")
    return { kind: "stake", from, action, ...(to === undefined ? {} : { to }), asset: scene.native, amount }
  }
  const lamports = () => exactly(data, () => data.u64())
  switch (number) {
    case 2:
      data.end()
      return only(stake("delegate", at(1, "vote account")))
    case 3:
      return only(stake("split", at(1, "new stake account"), lamports()))
    case 5:
      data.end()
      return only(stake("deactivate"))
    case 7: {
      data.end()
      const from = at(1, "source")
      return only({ kind: "stake", from, action: "merge", to: at(0, "destination"), asset: scene.native, amount: 0n })
    }
    case 16:
      return only(stake("move", at(1, "destination"), lamports()))
    case 4:
    case 17: {
      const [from, to] = [at(0, "stake account"), at(1, "recipient")]
      return only({ kind: "transfer", from, to, asset: scene.native, amount: lamports() })
    }
    default:
      return readAuthorities(number, data, instruction, scene)
  }
}

/** The accounts of `initializeChecked`, `authorizeChecked` and `authorizeCheckedWithSeed`, in their older form. */
const INITIALIZE_CHECKED = ["stake account", RENT, "staker", "withdrawer"]
const AUTHORIZE_CHECKED = ["stake account", CLOCK, "authority", "new authority"]
const AUTHORIZE_CHECKED_WITH_SEED = ["stake account", "base", CLOCK, "new authority"]

function readAuthorities(number: number, data: Data, instruction: Instruction, scene: Scene): Outcome {
  const set = (role: string, authority: Account): Effect => {
    return { kind: "set_authority", from: accountAt(instruction, 0, "stake account"), role, action: "set", authority }
  }
  switch (number) {
    case 0: {
      const { staker, withdrawer, custodian } = exactly(data, () => ({
        staker: data.key(),
        withdrawer: data.key(),
        until: [data.u64(), data.u64()],
        custodian: data.key(),
      }))
      // The custodian may lift the lockup, and sign withdrawals during it.
      const locked = custodian === SYSTEM ? [] : [set("lockup", custodian)]
      return only(set("staker", staker), set("withdrawer", withdrawer), ...locked)
    }
    case 1: {
      const [authority, role] = exactly(data, () => [data.key(), roleOf(data)] as const)
      return only(set(role, authority))
    }
    case 8: {
      const [authority, role] = exactly(data, () => [data.key(), roleOf(data), data.seed(), data.key()] as const)
      return only(set(role, authority))
    }
    case 9: {
      data.end()
      const named = (what: string) => accountNamed(instruction, INITIALIZE_CHECKED, what)
      return only(set("staker", named("staker")), set("withdrawer", named("withdrawer")))
    }
    case 10: {
      const role = exactly(data, () => roleOf(data))
      return only(set(role, accountNamed(instruction, AUTHORIZE_CHECKED, "new authority")))
    }
    case 11: {
      const [role] = exactly(data, () => [roleOf(data), data.seed(), data.key()] as const)
      return only(set(role, accountNamed(instruction, AUTHORIZE_CHECKED_WITH_SEED, "new authority")))
    }
    default:
      return only(callOf(instruction, scene, NAMES.get(number) ?? `${number}`))
  }
}

const SYSVARS: ReadonlySet<string> = new Set([CLOCK, RENT, STAKE_HISTORY, STAKE_CONFIG])

/**
 * The account named `what`; `older` is the list with sysvars at their places. It must be certain which of the two lists it is.
 * With a sysvar elsewhere the list is refused, and with an unresolved account in between the answer is unresolved.
 */
function accountNamed(instruction: Instruction, older: readonly string[], what: string): Account {
  const { accounts, at } = instruction
  if (older.every((name, i) => !SYSVARS.has(name) || accounts[i] === name))
    return accountAt(instruction, older.indexOf(what), what)
  const newer = older.filter((name) => !SYSVARS.has(name))
  const index = newer.indexOf(what)
  const upTo = accounts.slice(0, older.length)
  if (upTo.some((account) => typeof account === "string" && SYSVARS.has(account)))
    return refuse("E-INT-094", at, "a sysvar stands where the stake program does not expect it")
  const unknown = upTo.find((account) => typeof account !== "string")
  return unknown ?? accountAt(instruction, index, what)
}

/** StakeAuthorize: 32 bits, as bincode writes an enumeration. */
function roleOf(data: Data): string {
  const at = `byte ${data.offset}`
  const number = data.u32()
  return ["staker", "withdrawer"][number] ?? refuse("E-INT-094", at, `${number} is no authority of a stake account`)
}
