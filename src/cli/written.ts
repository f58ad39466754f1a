/** What a command writes where its caller says so: the system's refusal is the caller's to mend, and no defect. */
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"

/** Throws E-CLI-009 for what the system refuses. */
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
