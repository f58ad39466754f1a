/**
 * Connections that have not proved a key, which is all that a stranger can open: bounded together, and shared fairly between
 * addresses. Room for a new one is made at the cost of the address that holds most, its oldest connection first, so that nobody
 * who holds connections and says nothing keeps nodes out: an honest handshake takes a few round trips.
 */
import type { NodeConnection } from "./relayConnection.ts"

export class UnprovenConnections {
  /** In the order in which they came. */
  readonly #all = new Set<NodeConnection>()

  constructor(private readonly most: number) {}

  add(connection: NodeConnection): void {
    this.#all.add(connection)
  }

  /** It has proved its key, or is gone. */
  delete(connection: NodeConnection): void {
    this.#all.delete(connection)
  }

  /** The connection that has to go before `address` may open one more, if any. It no longer counts. */
  evict(address: string): NodeConnection | undefined {
    if (this.#all.size < this.most) return undefined
    const counts = new Map<string, number>([[networkOf(address), 1]])
    for (const connection of this.#all) {
      const network = networkOf(connection.address)
      counts.set(network, (counts.get(network) ?? 0) + 1)
    }
    const largest = Math.max(...counts.values())
    for (const connection of this.#all) {
      if (counts.get(networkOf(connection.address)) !== largest) continue
      this.#all.delete(connection)
      return connection
    }
    return undefined
  }
}

/** What one stranger holds: an IPv4 address, or the /64 of an IPv6 address. */
export function networkOf(address: string): string {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(address)?.[1]
  if (mapped !== undefined || !address.includes(":")) return mapped ?? address
  const [head = "", tail] = address.split("%")[0]?.split("::") ?? []
  const left = head === "" ? [] : head.split(":")
  const right = tail === undefined || tail === "" ? [] : tail.split(":")
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length)
  const groups = [...left, ...Array.from({ length: zeros }, () => "0"), ...right]
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")
}
