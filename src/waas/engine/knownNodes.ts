/**
 * The nodes that any group names, and the protocol versions that each told when it last connected here. Another replica may store a group
 * with new nodes and tells so. Because that news may be lost, an unknown node that connects makes this one read the node ids again.
 */
import { BEFORE_VERSIONS, type NodeVersions } from "../../wire/versions.ts"
import type { WaasStore } from "../store/store.ts"

/** The least time between two reads that unknown nodes cause. */
const LOOK_AGAIN_MS = 10_000

export class KnownNodes {
  readonly #store: Pick<WaasStore, "nodeIds" | "fencingTokens">
  readonly #ids = new Set<string>()
  /** Stored with each node's fencing token. */
  readonly #versions = new Map<string, NodeVersions>()
  #lookedAt = performance.now()
  #isWanted = false

  private constructor(store: Pick<WaasStore, "nodeIds" | "fencingTokens">) {
    this.#store = store
  }

  static async open(store: Pick<WaasStore, "nodeIds" | "fencingTokens">): Promise<KnownNodes> {
    const known = new KnownNodes(store)
    await known.look()
    for (const [nodeId, { versions }] of await store.fencingTokens()) {
      if (versions !== undefined) known.#versions.set(nodeId, versions)
    }
    return known
  }

  has(nodeId: string): boolean {
    const isKnown = this.#ids.has(nodeId)
    if (!isKnown) this.#isWanted = true
    return isKnown
  }

  /** Makes the nodes known. Returns whether one of them was not known before. */
  add(nodeIds: readonly string[]): boolean {
    const fresh = nodeIds.filter((nodeId) => !this.#ids.has(nodeId))
    for (const nodeId of fresh) this.#ids.add(nodeId)
    return fresh.length > 0
  }

  /** Reads the ids of known nodes from the store. A node that was known stays known. */
  async look(): Promise<void> {
    this.#isWanted = false
    this.#lookedAt = performance.now()
    this.add(await this.#store.nodeIds())
  }

  /** The same, if an unknown node was asked for since and the last read is LOOK_AGAIN_MS ago. */
  async lookIfWanted(): Promise<void> {
    if (this.#isWanted && performance.now() >= this.#lookedAt + LOOK_AGAIN_MS) await this.look()
  }

  /** The protocol versions that the node told when it last connected; those that every release speaks if it never did. */
  versions(nodeId: string): NodeVersions {
    return this.#versions.get(nodeId) ?? BEFORE_VERSIONS
  }

  speaks(nodeId: string, versions: NodeVersions | undefined): void {
    this.#versions.set(nodeId, versions ?? BEFORE_VERSIONS)
  }
}
