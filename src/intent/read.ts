/**
 * Reads one payload: loads its decoder, bounds what goes in and what comes out. An exception in a decoder becomes a problem,
 * so the caller gets either a reading or a reason.
 */
import { errorText } from "../errors.ts"
import type { Context } from "./decoder.ts"
import { decoderFor } from "./decoders.ts"
import { problem } from "./problem.ts"
import { type Decoded, isFormat, isProblem, MAX_EFFECTS, MAX_PAYLOAD_BYTES } from "./reading.ts"

/** `payload.format` is the task's text; only formats of the closed list are read. Never rejects. */
export async function read(
  payload: { readonly format: string; readonly data: Uint8Array },
  context: Context,
): Promise<Decoded> {
  const { format, data } = payload
  if (!isFormat(format)) return problem("E-INT-007", "format", "it is not in the list")
  if (data.length === 0 || data.length > MAX_PAYLOAD_BYTES) return problem("E-INT-002", "data", `${data.length} bytes`)
  try {
    const decoder = await decoderFor(format)
    if (decoder === undefined) return problem("E-INT-007", "format", "this version has no decoder for it")
    const decoded = decoder.decode(data, context)
    if (isProblem(decoded)) return decoded
    if (decoded.effects.length > MAX_EFFECTS)
      return problem("E-INT-003", "effects", `${decoded.effects.length} effects, and ${MAX_EFFECTS} are read`)
    if (decoded.effects.length === 0 || decoded.signs.length === 0)
      return problem("E-INT-001", format, "the reading is without effects or signatures")
    return decoded
  } catch (error) {
    return problem("E-INT-001", format, errorText(error))
  }
}
