/** Reads a configuration file as a document; its name decides between TOML and YAML. The only file of this folder that reads the disk. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs"
import type { TSchema } from "@sinclair/typebox"
import { CosignerError } from "../errors.ts"
import { parseToml } from "./toml.ts"
import type { Document } from "./tree.ts"
import { parseYaml } from "./yaml.ts"

const MAX_BYTES = 4 * 1024 * 1024

/** Undefined if a file that nobody named does not exist, because a first `init` needs none. Throws E-CFG-001. */
export function readSource(file: string, named: true): string
export function readSource(file: string, named: boolean): string | undefined
export function readSource(file: string, named: boolean): string | undefined {
  let fd: number
  try {
    // Opens without waiting: nobody may ever open the other end of a pipe.
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown error"
    if (code === "ENOENT" && !named) return undefined
    throw new CosignerError("E-CFG-001", { file, why: code === "ENOENT" ? "there is no such file" : code }, { cause })
  }
  try {
    const stat = fstatSync(fd)
    if (!stat.isFile()) throw new CosignerError("E-CFG-001", { file, why: "it is not a regular file" })
    if (stat.size > MAX_BYTES)
      throw new CosignerError("E-CFG-001", { file, why: `it is larger than ${MAX_BYTES} bytes` })
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(readFileSync(fd))
  } catch (cause) {
    if (cause instanceof CosignerError) throw cause
    throw new CosignerError("E-CFG-001", { file, why: "it is not UTF-8 text" }, { cause })
  } finally {
    closeSync(fd)
  }
}

/** Whether a name is that of a YAML file; every other file is TOML. */
const isYaml = (file: string): boolean => /\.ya?ml$/i.test(file)

/** A file's text as a document. Throws E-CFG-002. */
export const parseDocument = (source: string, name: string, schema: TSchema): Document =>
  isYaml(name) ? parseYaml(source, name, schema) : parseToml(source, name)
