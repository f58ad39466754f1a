/** The upgradeable loader: its instructions to deploy, upgrade and close programs are read as calls, by name. */
import { callOf, type Instruction, type Outcome, only, type Scene } from "./scene.ts"

/** UpgradeableLoaderInstruction, by number. */
const NAMES: readonly string[] = [
  "initializeBuffer",
  "write",
  "deployWithMaxDataLen",
  "upgrade",
  "setAuthority",
  "close",
  "extendProgram",
  "setAuthorityChecked",
]

export function readLoader(instruction: Instruction, scene: Scene): Outcome {
  const [number = -1, ...zeros] = instruction.data.subarray(0, 4)
  const name = zeros.length === 3 && zeros.every((byte) => byte === 0) ? NAMES[number] : undefined
  return only(callOf(instruction, scene, name))
}
