/**
 * A command's side of the admin socket: finds the node that has the database open, checks the owner of the socket before
 * it sends anything, and makes one request.
 */
import { type Bytes, copy } from "../../bytes.ts"
import { Malformed } from "../../codec.ts"
import { CosignerError } from "../../errors.ts"
import { errnoOf } from "../../files.ts"
import { Secret } from "../../secret.ts"
import type { Shown } from "../inventory/shown.ts"
import { addressOf, isUserOrRoot, peerOf, socketOf, trusted } from "./place.ts"
import {
  type AdminAnswer,
  type AdminCommand,
  decodeAnswer,
  encodeOutcome,
  encodeRequest,
  FrameReader,
  MAX_ANSWER,
  relayed,
} from "./protocol.ts"

/** Time for the whole answer. A guarded command may have to wait for others before it. */
const ANSWER_MS = 60_000

export interface AskedNode {
  readonly shown: Shown
  /** Tells the node how a permitted command ended, and ends the connection. */
  readonly ended: (outcome: string) => Promise<void>
}

/**
 * The answer of the running node; undefined if no node has the database open. Throws E-ADM-003 for a socket that must not be
 * trusted, E-ADM-002 if there is no answer, and the error that the node reports.
 */
export async function askNode(
  db: string,
  command: AdminCommand,
  password?: Secret,
  next?: Secret,
): Promise<AskedNode | undefined> {
  const path = socketOf(db)
  const uid = process.geteuid?.() ?? -1
  const found = trusted(db, path, uid)
  if (found === undefined) return undefined
  if ("why" in found) throw new CosignerError("E-ADM-003", { path, why: found.why })
  const node = await Node.reach(path)
  if (node === undefined) return undefined
  try {
    node.requireOwner(found.owner)
    using empty = Secret.take(new Uint8Array(0))
    const answer = await node.ask(encodeRequest({ command, password: password ?? empty, next: next ?? empty }))
    if ("problem" in answer) throw relayed(answer.problem)
    return {
      shown: answer.shown,
      ended: async (outcome) => node.say(encodeOutcome(outcome)),
    }
  } catch (error) {
    node.end()
    if (error instanceof Malformed)
      throw new CosignerError("E-ADM-002", { path, why: "its answer is none" }, { cause: error })
    throw error
  }
}

/** One connection to a node. */
class Node {
  readonly #path: string
  readonly #reader = new FrameReader(MAX_ANSWER)
  readonly #answered = Promise.withResolvers<Bytes>()
  readonly #over = Promise.withResolvers<void>()
  #socket: Bun.Socket<undefined> | undefined
  #unsent: Uint8Array = new Uint8Array(0)

  private constructor(path: string) {
    this.#path = path
    // The caller that waits for an answer reports a missing one; there may be no such caller.
    this.#answered.promise.catch(() => undefined)
  }

  /** Undefined: nobody listens there, because a killed node left its socket behind. */
  static async reach(path: string): Promise<Node | undefined> {
    const address = addressOf(path)
    if (address === undefined) throw new CosignerError("E-ADM-003", { path, why: "its path is too long for a socket" })
    const node = new Node(path)
    try {
      node.#socket = await Bun.connect<undefined>({ unix: address, socket: node.#handlers() })
      return node
    } catch (error) {
      const errno = errnoOf(error)
      if (errno === "ECONNREFUSED" || errno === "ENOENT") return undefined
      throw new CosignerError("E-ADM-002", { path, why: errno ?? "no connection" }, { cause: error })
    }
  }

  /** The kernel tells the owner of the peer. Throws E-ADM-003. */
  requireOwner(owner: number): void {
    const peer = this.#socket === undefined ? undefined : peerOf(this.#socket)
    if (isUserOrRoot(peer, owner)) return
    const who = peer === undefined ? "the kernel does not say who" : `user ${peer.uid} (process ${peer.pid})`
    const why = `${who} answers there, the database belongs to ${owner}`
    throw new CosignerError("E-ADM-003", { path: this.#path, why })
  }

  /** Sends the request, and wipes it once it has left. */
  async ask(request: Bytes): Promise<AdminAnswer> {
    const { promise, reject } = Promise.withResolvers<never>()
    const timer = setTimeout(() => reject(this.#silent("no answer in time")), ANSWER_MS)
    try {
      this.#send(request)
      return decodeAnswer(await Promise.race([this.#answered.promise, promise]))
    } finally {
      clearTimeout(timer)
      request.fill(0)
    }
  }

  /** Sends the last frame of this connection. Resolves when the node has ended it, or after a second. */
  async say(last: Bytes): Promise<void> {
    this.#send(last)
    await Promise.race([this.#over.promise, Bun.sleep(1_000)])
    this.end()
  }

  end(): void {
    this.#socket?.terminate()
  }

  #send(bytes: Uint8Array): void {
    this.#unsent = bytes
    this.#flush()
  }

  #flush(): void {
    const written = this.#socket?.write(this.#unsent) ?? 0
    this.#unsent = this.#unsent.subarray(Math.max(0, written))
  }

  #silent(why: string): CosignerError {
    return new CosignerError("E-ADM-002", { path: this.#path, why })
  }

  #handlers(): Bun.SocketHandler<undefined> {
    return {
      data: (_socket, piece) => {
        if (!this.#reader.add(piece)) return this.end()
        const body = this.#reader.whole()
        if (body !== undefined) this.#answered.resolve(copy(body))
      },
      drain: () => this.#flush(),
      close: () => {
        this.#over.resolve()
        this.#answered.reject(this.#silent("it ended the connection"))
      },
      error: () => this.#answered.reject(this.#silent("the connection failed")),
    }
  }
}
