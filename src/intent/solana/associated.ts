/**
 * The associated token account program. Creating the associated account of a wallet has no effect except its rent, which is part of
 * the fee. The node derives the account again, and the program itself refuses any other (E-INT-096 where it would). If the account cannot
 * be derived, because the wallet or the mint is unresolved, the creation is a call.
 */
import { refuse } from "../problem.ts"
import { Data } from "./data.ts"
import { associatedTokenAddress } from "./pda.ts"
import { TOKEN, TOKEN_2022, TOKEN_2022_ACCOUNT_RENT, TOKEN_ACCOUNT_RENT } from "./programs.ts"
import { accountAt, callOf, type Instruction, type Outcome, only, type Scene } from "./scene.ts"

/** An instruction without data is `create`, as before instructions had numbers. */
const NAMES: readonly string[] = ["create", "createIdempotent", "recoverNested"]
const RECOVER_NESTED = 2

export function readAssociated(instruction: Instruction, scene: Scene): Outcome {
  const data = new Data(instruction)
  const number = data.left === 0 ? 0 : data.u8()
  const name = NAMES[number]
  if (name === undefined) return only(callOf(instruction, scene, `${number}`))
  data.end()
  if (number === RECOVER_NESTED) return only(callOf(instruction, scene, name))
  const [funder, account] = [accountAt(instruction, 0, "funding account"), accountAt(instruction, 1, "new account")]
  const [wallet, mint] = [accountAt(instruction, 2, "wallet"), accountAt(instruction, 3, "mint")]
  const program = accountAt(instruction, 5, "token program")
  const rent = scene.isOurs(funder) ? (program === TOKEN ? TOKEN_ACCOUNT_RENT : TOKEN_2022_ACCOUNT_RENT) : 0n
  const names = [account, wallet, mint, program].filter((one) => typeof one === "string")
  if (names.length < 4 || (program !== TOKEN && program !== TOKEN_2022)) {
    return { effects: [callOf(instruction, scene, name)], rent }
  }
  const [, owner = "", token = ""] = names
  const derived = associatedTokenAddress(owner, token, program)
  if (derived !== account)
    return refuse("E-INT-096", instruction.at, `it makes ${names[0]}, and that of ${owner} for ${token} is ${derived}`)
  return { effects: [], rent, note: `${derived} is made if need be, the associated account of ${owner} for ${token}` }
}
