/**
 * Instruction data of the known programs, read strictly. The runtime accepts bytes after what it needs and lengths that end
 * too late; here data must have exactly the form of its instruction (E-INT-094).
 */
import { encodeBase58 } from "../../keys/base58.ts"
import { Cursor } from "../cursor.ts"
import { refuse } from "../problem.ts"
import type { Instruction } from "./scene.ts"

const FORM = "E-INT-094"
/** Of a seed (Solana, MAX_SEED_LEN). */
const MAX_SEED = 32

export class Data extends Cursor {
  constructor({ data, offset }: Pick<Instruction, "data" | "offset">) {
    super(data, FORM, offset)
  }
  u32(): number {
    return this.uintLe(4)
  }
  u64(): bigint {
    return this.bigLe(8)
  }
  key(): string {
    return encodeBase58(this.view(32))
  }
  /** A seed as bincode writes it: 64 bits of length, at most 32 bytes of UTF-8. */
  seed(): string {
    const at = `byte ${this.offset}`
    const length = this.u64()
    if (length > MAX_SEED) return refuse(FORM, at, `a seed of ${length} bytes`)
    return decodeUtf8(this.view(Number(length))) ?? refuse(FORM, at, "a seed is not UTF-8")
  }
  /** `Option` of the token programs and of Borsh: one byte, 0 or 1. */
  option<T>(some: () => T): T | undefined {
    const at = `byte ${this.offset}`
    const tag = this.u8()
    if (tag > 1) return refuse(FORM, at, `${tag} where 0 or 1 is wanted`)
    return tag === 1 ? some() : undefined
  }
}

/** The result of `read`; refuses bytes that it leaves. */
export function exactly<T>(data: Data, read: (data: Data) => T): T {
  const made = read(data)
  data.end()
  return made
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes)
  } catch {
    return undefined
  }
}
