/** Asks before a signature. It asks on the terminal, whatever stdin and stdout are, and only `yes` is consent. */
import { CosignerError, isCode } from "../../errors.ts"

/** Throws E-CLI-048 for every other answer, and if there is nobody to ask. */
export async function requireYes(question: string): Promise<void> {
  if (!(await answered(`${question}? Type yes: `)))
    throw new CosignerError("E-CLI-048", { why: "the answer was not yes" })
}

async function answered(prompt: string): Promise<boolean> {
  const { confirmTerminal } = await import("../terminal.ts")
  try {
    return await confirmTerminal(prompt)
  } catch (error) {
    if (!isCode(error, "E-CLI-004") && !isCode(error, "E-CLI-008")) throw error
    const why = error.code === "E-CLI-004" ? "there is no terminal to ask on" : "the question was interrupted"
    throw new CosignerError("E-CLI-048", { why }, { cause: error })
  }
}
