/**
 * Checks which user listens on a local port before a command sends the status token to it. While the node does not hold the
 * port, any user of the machine can listen there and would receive the token.
 */
import { readFileSync, statSync } from "node:fs"
import { CosignerError } from "../errors.ts"
import type { Listen } from "../panel/listen.ts"

type TcpListen = Extract<Listen, { readonly kind: "tcp" }>

/** In the kernel's tables: the address as words of the machine's byte order, in hex, and state 0A is LISTEN. */
const LOOPBACK: Readonly<Record<string, { readonly table: string; readonly address: string }>> = {
  "127.0.0.1": { table: "/proc/net/tcp", address: "0100007F" },
  "::1": { table: "/proc/net/tcp6", address: "00000000000000000000000001000000" },
}

/**
 * Throws E-STA-004 if nobody listens, and E-STA-008 unless the listener is this user, the owner of the token's file, or root. A
 * listener on all addresses does not count as the node's, because the node listens on the loopback alone.
 */
export function requireOwner(listen: TcpListen, tokenPath: string): void {
  const shown = listen.hostname.includes(":")
    ? `[${listen.hostname}]:${listen.port}`
    : `${listen.hostname}:${listen.port}`
  const owners = listenersAt(listen)
  if (owners === undefined) {
    throw new CosignerError("E-STA-008", { listen: shown, why: "this system does not tell who listens there" })
  }
  if (owners.length === 0) {
    throw new CosignerError("E-STA-004", { listen: shown, why: "nobody listens on that address" })
  }
  const trusted = new Set([0, process.geteuid?.(), statSync(tokenPath).uid])
  const stranger = owners.find((uid) => !trusted.has(uid))
  if (stranger !== undefined) {
    throw new CosignerError("E-STA-008", {
      listen: shown,
      why: `the process that listens there belongs to user ${stranger}, who is neither this user nor the owner of ${tokenPath}`,
    })
  }
}

/** The users whose processes listen there; undefined if the system has no such table. */
function listenersAt({ hostname, port }: TcpListen): readonly number[] | undefined {
  const place = LOOPBACK[hostname]
  if (place === undefined) return undefined
  const wanted = `${place.address}:${port.toString(16).toUpperCase().padStart(4, "0")}`
  try {
    return readFileSync(place.table, "latin1")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => local === wanted && state === "0A")
      .map((fields) => Number(fields[7]))
  } catch {
    return undefined
  }
}
