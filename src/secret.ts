/**
 * Secret: bytes that cannot be printed and that are wiped with their scope.
 *
 *     using password = Secret.from(bytes)     // wiped at the end of the block, on return and on throw
 *     derive(password.expose())
 *
 * It hides its bytes from JSON, template strings, console and inspect. It cannot hide them from a core dump or from
 * copies that the caller makes of what `expose` returns.
 */
import { inspect } from "node:util"
import { type Bytes, copy, secretEqual } from "./bytes.ts"

export const REDACTED = "[secret]"

export class Secret implements Disposable {
  #bytes: Bytes
  #wiped = false

  private constructor(bytes: Bytes) {
    this.#bytes = bytes
  }

  /** Takes ownership of the bytes: the caller's array becomes the secret's own memory, and is wiped with it. */
  static take(bytes: Bytes): Secret {
    return new Secret(bytes)
  }

  /** Copies; the caller remains responsible for `bytes`. */
  static from(bytes: Uint8Array): Secret {
    return new Secret(copy(bytes))
  }

  /** The live bytes, not a copy. Throws once wiped: a use after the end of the scope is a bug. */
  expose(): Bytes {
    if (this.#wiped) throw new TypeError("a secret was used after it had been wiped")
    return this.#bytes
  }

  get length(): number {
    return this.#bytes.length
  }

  equals(other: Secret): boolean {
    return secretEqual(this.expose(), other.expose())
  }

  wipe(): void {
    this.#bytes.fill(0)
    this.#wiped = true
  }

  [Symbol.dispose](): void {
    this.wipe()
  }
  toJSON(): string {
    return REDACTED
  }
  toString(): string {
    return REDACTED
  }
  [inspect.custom](): string {
    return REDACTED
  }
  [Symbol.toPrimitive](): string {
    return REDACTED
  }
}
