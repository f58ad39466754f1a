/** Reads the files of [[intent.contracts]] abi: without them, conditions on arguments have no meaning. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs"
import { utf8 } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"
import { type Abi, isAbiProblem, readAbi } from "../intent/evm/abiJson.ts"
import type { IntentTable } from "../policy/intentTable.ts"
import type { PolicyFiles } from "./policyBundle.ts"

/** An ABI has kilobytes; a build's artifact also has the code of the contract. */
const MAX_BYTES = 4 * 1024 * 1024

/** ABIs by path; only from `files`, if these are given. Throws E-CFG-015 with the key, and with line and column if a file is not as compilers write it. */
export function readAbis({ contracts }: IntentTable, files?: PolicyFiles): ReadonlyMap<string, Abi> {
  const abis = new Map<string, Abi>()
  for (const [i, { abi: path }] of contracts.entries()) {
    if (path === undefined || abis.has(path)) continue
    const unusable = (why: string): never => {
      throw new CosignerError("E-CFG-015", { key: `intent.contracts[${i}].abi`, path, why })
    }
    const read = readAbi(files === undefined ? bytesOf(path, unusable) : bytesIn(files, path, unusable))
    if (isAbiProblem(read)) return unusable(`line ${read.line}, column ${read.column}: ${read.why}`)
    abis.set(path, read)
  }
  return abis
}

function bytesIn(files: PolicyFiles, path: string, unusable: (why: string) => never): Uint8Array {
  const content = files.get(path)
  return content === undefined ? unusable("the policy bundle does not have it in [files]") : utf8(content)
}

function bytesOf(path: string, unusable: (why: string) => never): Uint8Array {
  let opened: number | undefined
  try {
    // Opens without waiting: nobody may ever open the other end of a pipe.
    opened = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = fstatSync(opened)
    if (!stat.isFile()) return unusable("it is not a regular file")
    if (stat.size > MAX_BYTES) return unusable(`it is larger than ${MAX_BYTES} bytes`)
    return readFileSync(opened)
  } catch (error) {
    if (error instanceof CosignerError) throw error
    const code = errnoOf(error) ?? "unknown error"
    return unusable(code === "ENOENT" ? "there is no such file" : code)
  } finally {
    if (opened !== undefined) closeSync(opened)
  }
}
