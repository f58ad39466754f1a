/**
 * The token programs, Token and Token-2022, whose instructions have the same numbers. Transfers and approvals that name no mint
 * are recognised by their source: the associated account of their authority for a configured mint. Any other has an unresolved
 * asset. Of Token-2022's extensions only the transfer with fee is read; the others are calls. A batch is a call, and its
 * instructions are listed beside it.
 */
import { refuse } from "../problem.ts"
import type { Account, Effect } from "../reading.ts"
import { Data, exactly } from "./data.ts"
import { associatedTokenAddress } from "./pda.ts"
import { TOKEN_2022 } from "./programs.ts"
import { accountAt, callOf, type Instruction, type Outcome, only, type Scene, tokenOf } from "./scene.ts"

/** By number. Instructions without an entry are Token-2022's or newer than this list, and are called by their number. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [0, "initializeMint"],
  [1, "initializeAccount"],
  [2, "initializeMultisig"],
  [5, "revoke"],
  [16, "initializeAccount2"],
  [17, "syncNative"],
  [18, "initializeAccount3"],
  [19, "initializeMultisig2"],
  [20, "initializeMint2"],
  [21, "getAccountDataSize"],
  [22, "initializeImmutableOwner"],
  [23, "amountToUiAmount"],
  [24, "uiAmountToAmount"],
  [38, "withdrawExcessLamports"],
  [45, "unwrapLamports"],
  [255, "batch"],
])

/** AuthorityType of both programs, by number. */
const ROLES: readonly string[] = [
  "mint",
  "freeze",
  "owner",
  "close",
  "transfer_fee_config",
  "withheld_withdraw",
  "close_mint",
  "interest_rate",
  "permanent_delegate",
  "confidential_transfer_mint",
  "transfer_hook_program",
  "confidential_transfer_fee_config",
  "metadata_pointer",
  "group_pointer",
  "group_member_pointer",
  "scaled_ui_amount",
  "pause",
]

const TRANSFER_FEE_EXTENSION = 26
const TRANSFER_CHECKED_WITH_FEE = 1
const BATCH = 255

export function readToken(instruction: Instruction, scene: Scene): Outcome {
  const outcome = readOne(instruction, scene)
  return instruction.data[0] === BATCH ? only(...outcome.effects, ...batched(instruction, scene)) : outcome
}

/** Each instruction has a byte for the number of its accounts, one for the length of its data, and the data. None is a batch itself. */
function batched(instruction: Instruction, scene: Scene): readonly Effect[] {
  const data = new Data(instruction)
  data.u8()
  const effects: Effect[] = []
  for (let next = 0, i = 0; data.left > 0; i++) {
    const [accounts, length] = [data.u8(), data.u8()]
    const offset = data.offset
    const inner: Instruction = {
      at: `${instruction.at}, number ${i} of its batch`,
      program: instruction.program,
      accounts: instruction.accounts.slice(next, next + accounts),
      flags: instruction.flags.slice(next, next + accounts),
      data: data.view(length),
      offset,
    }
    next += accounts
    if (next > instruction.accounts.length)
      return refuse("E-INT-095", inner.at, `${next} accounts are wanted, and ${instruction.accounts.length} are there`)
    if (inner.data[0] === BATCH) return refuse("E-INT-094", inner.at, "a batch inside a batch")
    effects.push(...readOne(inner, scene).effects)
  }
  return effects
}

function readOne(instruction: Instruction, scene: Scene): Outcome {
  const data = new Data(instruction)
  if (data.left === 0) return only(callOf(instruction, scene))
  const token = new TokenInstruction(instruction, scene, data)
  const number = data.u8()
  switch (number) {
    case 3:
      return token.transfer(token.unchecked())
    case 4:
      return token.approve(token.unchecked())
    case 6:
      return token.setAuthority()
    case 7:
    case 14:
      return token.mintTo(number === 14)
    case 8:
    case 15:
      return token.burn(number === 15)
    case 9:
      data.end()
      return only({ kind: "close_account", from: token.at(0, "account"), to: token.at(1, "recipient") })
    case 10:
    case 11:
      data.end()
      return only({
        kind: "set_authority",
        from: token.at(0, "account"),
        role: "frozen",
        action: number === 10 ? "add" : "remove",
      })
    case 12:
      return token.transfer(token.checked())
    case 13:
      return token.approve(token.checked())
    case 5:
    case 17:
      // nothing that they are given but the account
      data.end()
      return only(callOf(instruction, scene, NAMES.get(number) ?? `${number}`))
    case 45:
      return token.unwrapLamports()
    case TRANSFER_FEE_EXTENSION:
      if (instruction.program === TOKEN_2022 && data.left > 0 && data.peek() === TRANSFER_CHECKED_WITH_FEE) {
        return token.transfer(token.checkedWithFee())
      }
      return only(callOf(instruction, scene, `${number}`))
    default:
      return only(callOf(instruction, scene, NAMES.get(number) ?? `${number}`))
  }
}

interface Moved {
  readonly source: Account
  readonly to: Account
  readonly authority: Account
  /** Undefined if the instruction does not name it. */
  readonly mint: Account | undefined
  readonly amount: bigint
}

class TokenInstruction {
  constructor(
    readonly instruction: Instruction,
    readonly scene: Scene,
    readonly data: Data,
  ) {}

  at(index: number, what: string): Account {
    return accountAt(this.instruction, index, what)
  }

  /** Source, destination or delegate, authority: no mint. */
  unchecked(): Moved {
    const amount = exactly(this.data, () => this.data.u64())
    const [source, to, authority] = [this.at(0, "source"), this.at(1, "destination"), this.at(2, "authority")]
    return { source, to, authority, mint: this.#mintOf(source, authority), amount }
  }

  /** Source, mint, destination or delegate, authority; the program checks the mint's decimals against the stated ones. */
  checked(): Moved {
    const [amount] = exactly(this.data, () => [this.data.u64(), this.data.u8()] as const)
    return this.#checked(amount)
  }

  checkedWithFee(): Moved {
    const [, amount] = exactly(
      this.data,
      () => [this.data.u8(), this.data.u64(), this.data.u8(), this.data.u64()] as const,
    )
    return this.#checked(amount)
  }

  #checked(amount: bigint): Moved {
    const [source, mint, to] = [this.at(0, "source"), this.at(1, "mint"), this.at(2, "destination")]
    return { source, mint, to, authority: this.at(3, "authority"), amount }
  }

  transfer(moved: Moved): Outcome {
    const { to, amount } = moved
    const program = this.instruction.program
    return only({ kind: "transfer", from: this.#holder(moved), to, asset: this.#asset(moved), amount, program })
  }

  approve(moved: Moved): Outcome {
    const { to: spender, amount } = moved
    return only({ kind: "approve", from: this.#holder(moved), spender, asset: this.#asset(moved), amount })
  }

  /** New tokens are created; this is expressed as a transfer from their mint. */
  mintTo(checked: boolean): Outcome {
    const amount = this.#amount(checked)
    const [mint, to] = [this.at(0, "mint"), this.at(1, "destination")]
    this.at(2, "authority")
    const program = this.instruction.program
    return only({ kind: "transfer", from: mint, to, asset: tokenOf(this.scene, mint), amount, program })
  }

  /** Tokens are destroyed: a transfer to nobody, which no entry that names destinations covers. */
  burn(checked: boolean): Outcome {
    const amount = this.#amount(checked)
    const [source, mint] = [this.at(0, "account"), this.at(1, "mint")]
    const to = { unresolved: "nobody: they are burned" }
    return this.transfer({ source, mint, to, authority: this.at(2, "authority"), amount })
  }

  /** Lamports leave an account of wrapped SOL; without an amount, all of them, whatever their number. */
  unwrapLamports(): Outcome {
    const amount = exactly(this.data, () => this.data.option(() => this.data.u64()))
    if (amount === undefined) return only(callOf(this.instruction, this.scene, "unwrapLamports"))
    const [from, to] = [this.at(0, "source"), this.at(1, "destination")]
    return only({ kind: "transfer", from, to, asset: this.scene.native, amount })
  }

  setAuthority(): Outcome {
    const { type, authority } = exactly(this.data, () => ({
      type: this.data.u8(),
      authority: this.data.option(() => this.data.key()),
    }))
    const from = this.at(0, "account")
    this.at(1, "present authority")
    const role = ROLES[type] ?? `${type}`
    const effect: Effect =
      authority === undefined
        ? { kind: "set_authority", from, role, action: "remove" }
        : { kind: "set_authority", from, role, action: "set", authority }
    return only(effect)
  }

  #amount(checked: boolean): bigint {
    const [amount] = exactly(this.data, () => [this.data.u64(), checked ? this.data.u8() : 0] as const)
    return amount
  }

  #asset({ mint }: Moved): Account {
    return mint === undefined
      ? { unresolved: "the instruction names no mint, and its source is the associated account of no configured one" }
      : tokenOf(this.scene, mint)
  }

  /** The authority, if the source is its associated account; otherwise the source, whose owner the message does not state. */
  #holder({ source, authority, mint }: Moved): Account {
    if (typeof authority !== "string" || typeof mint !== "string") return source
    return associatedTokenAddress(authority, mint, this.instruction.program) === source ? authority : source
  }

  #mintOf(source: Account, authority: Account): Account | undefined {
    if (typeof authority !== "string" || !this.scene.isOurs(authority)) return undefined
    const { program } = this.instruction
    return this.scene.mints.find(
      (one) => one.program === program && associatedTokenAddress(authority, one.mint, program) === source,
    )?.mint
  }
}
