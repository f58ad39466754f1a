/**
 * Which node is connected to which process, and with which boot id. So two starts of one node (a clone) are not admitted at two processes,
 * and a request can be handed to a process that its node is connected to. Rows of dead processes are ignored.
 */
import { CosignerError } from "../../errors.ts"
import { isNewest } from "../engine/fencing.ts"
import { KeyedTurns } from "../engine/turns.ts"
import type { NodeFencingToken } from "./model.ts"
import type { Postgres } from "./postgres.ts"
import { decode } from "./rows.ts"

/** A connection of another start of the node to another living process. */
const TWIN = `SELECT 1 FROM node_links WHERE node_id = $1 AND replica <> $2 AND boot_id <> $3
  AND EXISTS (SELECT 1 FROM replicas WHERE id = node_links.replica AND alive) LIMIT 1`

/** Returns no row if this process was declared dead. */
const LINK = `INSERT INTO node_links (node_id, replica, boot_id) SELECT $1, id, $3 FROM replicas WHERE id = $2 AND alive
  ON CONFLICT (node_id, replica) DO UPDATE SET boot_id = excluded.boot_id RETURNING node_id`

interface Connections {
  readonly nodeId: string
  readonly bootId: string
  /** How many connections of that start are admitted or being admitted. */
  count: number
}

export class NodeLinks {
  readonly #db: Postgres
  readonly #replicaId: string
  /** This process's connections by node and start. They are counted: a node that reconnects is admitted before its old connection ends. */
  readonly #connections = new Map<string, Connections>()
  /** Starts whose connections have all ended, and whose row may still be there. */
  readonly #ended = new Map<string, Connections>()
  /** One change per node at a time: the deletion of an old row must not delete the row of a newer connection. */
  readonly #turns = new KeyedTurns()

  constructor(db: Postgres, replicaId: string) {
    this.#db = db
    this.#replicaId = replicaId
  }

  /** As SharedStore.admit says. Throws E-WAA-074 if this process was declared dead. */
  async admit(nodeId: string, token: NodeFencingToken): Promise<"newest" | "behind" | "twin"> {
    const { bootId } = token
    const key = keyOf(nodeId, bootId)
    const connections = this.#connections.get(key) ?? { nodeId, bootId, count: 0 }
    // Counted before the row is written, so that the end of another connection of this start does not delete it.
    connections.count++
    this.#connections.set(key, connections)
    let admitted: "newest" | "behind" | "twin" | undefined
    try {
      admitted = await this.#turns.take(nodeId, () => this.#admitted(nodeId, token))
      return admitted
    } finally {
      // After a failure the row may have been written all the same.
      if (admitted !== "newest") await this.left(nodeId, bootId)
    }
  }

  /** One connection of that start has ended; the last one takes the row with it. */
  async left(nodeId: string, bootId: string): Promise<void> {
    const key = keyOf(nodeId, bootId)
    const connections = this.#connections.get(key)
    if (connections === undefined || --connections.count > 0) return
    this.#connections.delete(key)
    this.#ended.set(key, connections)
    await this.#forget(key, connections).catch(() => {})
  }

  /** Deletes rows whose deletion failed before. */
  async tidy(): Promise<void> {
    for (const [key, ended] of this.#ended) await this.#forget(key, ended)
  }

  // ---- inside ------------------------------------------------------------------------------------------------------

  /** One transaction, which locks the row of the node's token: another process that admits the same node waits for it. */
  async #admitted(nodeId: string, token: NodeFencingToken): Promise<"newest" | "behind" | "twin"> {
    const body = JSON.stringify(token)
    return this.#db.transaction(async (tx) => {
      const first = "INSERT INTO fencing_tokens (node_id, body) VALUES ($1, $2) ON CONFLICT DO NOTHING"
      await tx.unsafe(first, [nodeId, body])
      const [row] = await tx.unsafe<{ readonly body: string }[]>(
        "SELECT body FROM fencing_tokens WHERE node_id = $1 FOR UPDATE",
        [nodeId],
      )
      if ((await tx.unsafe(TWIN, [nodeId, this.#replicaId, token.bootId])).length > 0) return "twin"
      if (row !== undefined && !isNewest(token, decode<NodeFencingToken>(row.body))) return "behind"
      await tx.unsafe("UPDATE fencing_tokens SET body = $2 WHERE node_id = $1", [nodeId, body])
      const linked = await tx.unsafe(LINK, [nodeId, this.#replicaId, token.bootId])
      if (linked.length === 0) throw new CosignerError("E-WAA-074", { store: this.#db.name })
      return "newest"
    })
  }

  #forget(key: string, ended: Connections): Promise<void> {
    const { nodeId, bootId } = ended
    return this.#turns.take(nodeId, async () => {
      if (!this.#connections.has(key)) {
        const sql = "DELETE FROM node_links WHERE node_id = ? AND replica = ? AND boot_id = ?"
        await this.#db.write([{ sql, values: [nodeId, this.#replicaId, bootId] }])
      }
      if (this.#ended.get(key) === ended) this.#ended.delete(key)
    })
  }
}

const keyOf = (nodeId: string, bootId: string): string => `${nodeId} ${bootId}`
