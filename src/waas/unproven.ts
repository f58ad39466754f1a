/**
 * Connections that have not proved a key; strangers can open no others. Their number is bounded and shared fairly between addresses: a
 * new connection displaces the oldest one of the address that holds most. So nobody can keep nodes out by holding silent connections,
 * since an honest handshake takes only a few round trips.
 */
import type { NodeConnection } from "./relayConnection.ts"

export class UnprovenConnections {
  /** Oldest first. */
  readonly #all = new Set<NodeConnection>()

  constructor(private readonly most: number) {}

  add(connection: NodeConnection): void {
    this.#all.add(connection)
  }

  /** The connection has proved its key, or has ended. */
  delete(connection: NodeConnection): void {
    this.#all.delete(connection)
  }

  /** Removes and returns the connection that must end before `address` may open one more; undefined if there is room. */
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

/** The unit that counts as one stranger: an IPv4 address, or the /64 network of an IPv6 address. */
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
