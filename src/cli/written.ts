/** Writes of a command to a path that its caller names. If the system refuses one, the caller must correct it; it is no defect. */
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"

/** Throws E-CLI-009 if the system refuses. */
export function written(path: string, write: () => void): void {
  try {
    write()
  } catch (cause) {
    const code = errnoOf(cause)
    if (code === undefined) throw cause
    const why = code === "EEXIST" ? "it is there already, and is never overwritten" : code
    throw new CosignerError("E-CLI-009", { path, why }, { cause })
  }
}
