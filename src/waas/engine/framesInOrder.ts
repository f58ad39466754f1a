/**
 * Sends each node its frames in the order in which the engine made them, even where a signature takes a while because the key is
 * elsewhere. A frame that could not be signed is not sent: the engine repeats what still matters.
 */
import { errorText } from "../../errors.ts"
import type { Log } from "../../log.ts"
import type { ToNode } from "../../wire/frames.ts"
import type { Documents, RelayPort } from "./ports.ts"

export class FramesInOrder {
  readonly #relay: Pick<RelayPort, "send">
  readonly #log: Log
  /** For each node with a frame that waits for its signature: settles when the last such frame was sent. */
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

/** For the frames of one step: all signers get the same start, so it is signed once. */
export function signedOnce(documents: Documents): Documents {
  let start: ReturnType<Documents["start"]> | undefined
  return { ...documents, start: (said) => (start ??= documents.start(said)) }
}
