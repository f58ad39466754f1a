/** Lists of IP addresses and networks: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`. */
import { BlockList, isIP } from "node:net"

const NETWORK = /^([0-9a-fA-F.:]+)(?:\/(0|[1-9]\d{0,2}))?$/

interface ParsedNetwork {
  readonly address: string
  readonly bits: number
  readonly family: "ipv4" | "ipv6"
}

/** Undefined for what is neither an address nor a network. */
export function parseNetwork(text: string): ParsedNetwork | undefined {
  const [, address = "", digits] = NETWORK.exec(text) ?? []
  const version = isIP(address)
  const most = version === 4 ? 32 : 128
  const bits = digits === undefined ? most : Number(digits)
  if (version === 0 || bits > most) return undefined
  return { address, bits, family: version === 4 ? "ipv4" : "ipv6" }
}

/** An IPv6 socket shows an IPv4 peer as ::ffff:a.b.c.d; this returns a.b.c.d. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d{1,3}(?:\.\d{1,3}){3}$)/i, "")

/** Whether the address is in one of the networks. An address that cannot be read is in none. */
export function isAmong(networks: readonly string[], address: string): boolean {
  const own = plain(address)
  const version = isIP(own)
  if (version === 0) return false
  const list = new BlockList()
  for (const network of networks.flatMap((text) => parseNetwork(text) ?? []))
    list.addSubnet(network.address, network.bits, network.family)
  return list.check(own, version === 4 ? "ipv4" : "ipv6")
}
