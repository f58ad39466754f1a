import { type Code, CosignerError } from "../../src/errors.ts"

/** The code that `action` throws with; "none" if it does not throw, and anything that is not ours is thrown on. */
export function codeOf(action: () => unknown): Code | "none" {
  try {
    action()
  } catch (error) {
    if (error instanceof CosignerError) return error.code
    throw error
  }
  return "none"
}
