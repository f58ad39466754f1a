/**
 * Reading request bodies: each up to its cap, and all that are being read up to a bound, per API key and together. What a
 * caller announces and does not send costs its own share of that bound, and nobody else's.
 */
import { ApiFailure } from "../failure.ts"

interface BodyLimits {
  /** Of one body. */
  readonly bodyBytes: number
}

/** Bodies of one key that may be on their way at once, in bodies of full size. */
const PER_KEY = 8
const IN_ALL = 64

interface BodyReader {
  /** UTF-8 text; empty without a body. Rejects with 2006 for what is too large, not UTF-8 or cut short, 2026 for too many. */
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
      // a length below zero would give budget back
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
    // The caller went away, or its connection did: nobody reads this answer, and nothing of ours is broken.
    throw new ApiFailure(2006, "the body was cut short")
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts))
  } catch {
    throw new ApiFailure(2006, "the body is not UTF-8")
  }
}
