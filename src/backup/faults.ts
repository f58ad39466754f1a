/** Turns what the file system reports about a backup into our error codes. */
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"

/** Runs `action` on the file; its failures are E-BAK-008 to -010. */
export function writing<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    throw asWriteFault(error, path)
  }
}

export function asWriteFault(error: unknown, path: string): unknown {
  const cause = errnoOf(error)
  if (error instanceof CosignerError || cause === undefined) return error
  if (/^(?:ENOSPC|EDQUOT|EFBIG)$/.test(cause)) return new CosignerError("E-BAK-008", { path }, { cause: error })
  if (/^(?:EACCES|EPERM|EROFS|ENOTDIR|EEXIST|ENOENT)$/.test(cause)) {
    return new CosignerError("E-BAK-009", { path, cause }, { cause: error })
  }
  return /^E[A-Z0-9]+$/.test(cause) ? new CosignerError("E-BAK-010", { path, cause }, { cause: error }) : error
}

/** Runs `action` on the file; its failures are E-BAK-002. */
export function reading<T>(path: string, action: () => T): T {
  try {
    return action()
  } catch (error) {
    const cause = errnoOf(error)
    if (error instanceof CosignerError || cause === undefined) throw error
    throw new CosignerError("E-BAK-002", { path, cause }, { cause: error })
  }
}
