/**
 * Which nodes any group names, and what each told that it speaks when it last connected here. Another replica may make a node known:
 * it says so, and a node that is not known is looked for again after a while, for word of that may be lost.
 */
import { BEFORE_VERSIONS, type NodeVersions } from "../../wire/versions.ts"
import type { WaasStore } from "../store/store.ts"

/** Between two looks for nodes that strangers make necessary, by the monotonic clock. */
const LOOK_AGAIN_MS = 10_000

export class KnownNodes {
  readonly #store: Pick<WaasStore, "nodeIds" | "fencingTokens">
  readonly #ids = new Set<string>()
  /** Durable with each node's fencing token. */
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

  /** Whether one of them was not known before. */
  add(nodeIds: readonly string[]): boolean {
    const fresh = nodeIds.filter((nodeId) => !this.#ids.has(nodeId))
    for (const nodeId of fresh) this.#ids.add(nodeId)
    return fresh.length > 0
  }

  /** Reads them again. A node that a group named stays known. */
  async look(): Promise<void> {
    this.#isWanted = false
    this.#lookedAt = performance.now()
    this.add(await this.#store.nodeIds())
  }

  /** The same where somebody unknown asked for it, and the last look is a while ago. */
  async lookIfWanted(): Promise<void> {
    if (this.#isWanted && performance.now() >= this.#lookedAt + LOOK_AGAIN_MS) await this.look()
  }

  /** What the node speaks, as it told when it last connected. */
  versions(nodeId: string): NodeVersions {
    return this.#versions.get(nodeId) ?? BEFORE_VERSIONS
  }

  speaks(nodeId: string, versions: NodeVersions | undefined): void {
    this.#versions.set(nodeId, versions ?? BEFORE_VERSIONS)
  }
}
