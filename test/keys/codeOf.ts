import { type Code, CosignerError } from "../../src/errors.ts"

/** The code that `act` throws with; "none" if it does not throw, and anything that is not ours is thrown on. */
export function codeOf(act: () => unknown): Code | "none" {
  try {
    act()
  } catch (error) {
    if (error instanceof CosignerError) return error.code
    throw error
  }
  return "none"
}
