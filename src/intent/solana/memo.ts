/**
 * The memo programs, versions 1, 3 and 4, which put text on the chain. They refuse text that is not UTF-8, and so does this
 * (E-INT-094). Version 4 can be upgraded, and might then use the accounts that it is given: with accounts it is also a call.
 */
import { copy } from "../../bytes.ts"
import { refuse } from "../problem.ts"
import type { Effect } from "../reading.ts"
import { decodeUtf8 } from "./data.ts"
import { MEMO_4 } from "./programs.ts"
import { callOf, type Instruction, type Outcome, only, type Scene } from "./scene.ts"

export function readMemo(instruction: Instruction, scene: Scene): Outcome {
  const { program, accounts, data, offset } = instruction
  if (decodeUtf8(data) === undefined) return refuse("E-INT-094", `byte ${offset}`, "a memo is not UTF-8")
  const memo: Effect = { kind: "memo", data: copy(data) }
  return program === MEMO_4 && accounts.length > 0 ? only(callOf(instruction, scene, "addMemo"), memo) : only(memo)
}
