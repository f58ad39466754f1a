/**
 * Frames on their way to nodes: each node gets them in the order in which they were said, also where a signature takes a while because the
 * key is somewhere else. A frame without its signature is not sent; what still matters is said again.
 */
import { errorText } from "../../errors.ts"
import type { Log } from "../../log.ts"
import type { ToNode } from "../../wire/frames.ts"
import type { Documents, RelayPort } from "./ports.ts"

export class FramesInOrder {
  readonly #relay: Pick<RelayPort, "send">
  readonly #log: Log
  /** Of nodes for which a signature is being waited for: what goes before the next frame. */
  readonly #waiting = new Map<string, Promise<void>>()

  constructor(relay: Pick<RelayPort, "send">, log: Log) {
    this.#relay = relay
    this.#log = log
  }

  send(nodeId: string, frame: ToNode | Promise<ToNode>): void {
    const before = this.#waiting.get(nodeId)
    if (before === undefined && !(frame instanceof Promise)) return this.#relay.send(nodeId, frame)
    const signed = Promise.resolve(frame)
    signed.catch(() => {})
    const sent = (before ?? Promise.resolve())
      .then(() => signed)
      .then(
        (ready) => this.#relay.send(nodeId, ready),
        (error: unknown) => this.#log.error("a frame could not be signed", { node: nodeId, error: errorText(error) }),
      )
      .finally(() => {
        if (this.#waiting.get(nodeId) === sent) this.#waiting.delete(nodeId)
      })
    this.#waiting.set(nodeId, sent)
  }
}

/** A start that several nodes are told in one step is one statement, signed once. */
export function signedOnce(documents: Documents): Documents {
  let start: ReturnType<Documents["start"]> | undefined
  return { ...documents, start: (said) => (start ??= documents.start(said)) }
}
