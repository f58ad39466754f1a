/** Byte strings of one session that must not outlive it: wiped together when the protocol ends, however it ends. */
import type { Bytes } from "../bytes.ts"

export class Scratch implements Disposable {
  readonly #kept: Bytes[] = []

  /** Takes ownership of the bytes and returns them. */
  keep(bytes: Bytes): Bytes {
    this.#kept.push(bytes)
    return bytes
  }

  [Symbol.dispose](): void {
    for (const bytes of this.#kept.splice(0)) bytes.fill(0)
  }
}
