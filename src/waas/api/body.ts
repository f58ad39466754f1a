/**
 * Reads request bodies within bounds: for each body, for all bodies of one API key that are being received, and for all together. A
 * caller that announces a body and does not send it uses up only its own key's part.
 */
import { ApiFailure } from "../failure.ts"

interface BodyLimits {
  /** The most bytes of one body. */
  readonly bodyBytes: number
}

/** Bytes that may be on their way at once, for one key and for all, in units of the largest body. */
const PER_KEY = 8
const IN_ALL = 64

interface BodyReader {
  /**
   * The body as text; empty if there is none. Rejects with 2006 if it is too large, not UTF-8 or cut short, and with 2026 if too many
   * bodies are being received.
   */
  read(request: Request, publicKey: string): Promise<string>
}

export function bodyReader({ bodyBytes }: BodyLimits): BodyReader {
  const held = new Map<string, number>()
  let total = 0
  const hold = (publicKey: string, bytes: number): void => {
    total += bytes
    const now = (held.get(publicKey) ?? 0) + bytes
    if (now === 0) held.delete(publicKey)
    else held.set(publicKey, now)
  }
  return {
    async read(request, publicKey) {
      if (request.body === null) return ""
      const announced = request.headers.get("content-length")
      const bytes = announced === null ? bodyBytes : Number(announced)
      // Also refuses a negative length, which would give budget back, and NaN.
      if (!(bytes >= 0 && bytes <= bodyBytes)) throw tooLarge(bodyBytes)
      if ((held.get(publicKey) ?? 0) + bytes > PER_KEY * bodyBytes || total + bytes > IN_ALL * bodyBytes) {
        throw new ApiFailure(2026, "too many requests are being received; try again in a moment")
      }
      hold(publicKey, bytes)
      try {
        return await readText(request.body, bodyBytes)
      } finally {
        hold(publicKey, -bytes)
      }
    },
  }
}

const tooLarge = (most: number): ApiFailure => new ApiFailure(2006, `the body is larger than ${most} bytes`)

async function readText(body: ReadableStream<Uint8Array>, most: number): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for await (const part of body) {
      length += part.length
      if (length > most) throw tooLarge(most)
      parts.push(part)
    }
  } catch (error) {
    if (error instanceof ApiFailure) throw error
    // The connection broke: nobody reads this answer, and it is no fault of WaaS.
    throw new ApiFailure(2006, "the body was cut short")
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts))
  } catch {
    throw new ApiFailure(2006, "the body is not UTF-8")
  }
}
