/** Connections that doctor makes to WaaS for a check and ends at once. None carries the node's fencing token or a frame. */
import { randomBytes } from "node:crypto"
import { copy } from "../../bytes.ts"
import type { Config } from "../../config/config.ts"
import { linkTarget } from "../../config/startup.ts"
import { partyBytes } from "../../keys/party.ts"
import { Connection, type Measured } from "../../link/connection.ts"
import { LINK_TIMING, type LinkOptions } from "../../link/options.ts"
import { silentLog } from "../../log.ts"
import { identityOf } from "../../mpc/envelope.ts"
import { Secret } from "../../secret.ts"
import { CHANNEL_LIMITS } from "../../wire/channel.ts"

/** Options with a key made for this connection; undefined if the configuration has no address or key. Throws the errors of `start`. */
export function probeOptions(config: Config): LinkOptions | undefined {
  const target = linkTarget(config)
  if (target === undefined) return undefined
  using seed = Secret.take(copy(randomBytes(32)))
  const stranger = identityOf(seed.expose())
  return {
    ...target,
    node: { publicKey: partyBytes(stranger.party), sign: (message) => stranger.sign(copy(message)) },
    limits: CHANNEL_LIMITS,
    timing: LINK_TIMING,
    clock: Date.now,
    jitter: () => 0,
    log: silentLog,
  }
}

/** The same connection, under the node's own key. */
export function asNode(options: LinkOptions, seed: Secret): LinkOptions {
  const identity = identityOf(seed.expose())
  return {
    ...options,
    node: { publicKey: partyBytes(identity.party), sign: (message) => identity.sign(copy(message)) },
  }
}

/** Resolves once WaaS has proved its key, or has also admitted the node; rejects with the reason if the connection ended before. */
export async function handshake(options: LinkOptions, until: "proof" | "admission"): Promise<Measured> {
  const { promise, resolve, reject } = Promise.withResolvers<Measured>()
  let last: Measured | undefined
  const connection = new Connection(options, {
    opened: () => {},
    established: () => {
      if (last !== undefined) resolve(last)
    },
    packet: () => {},
    measured: (measured) => {
      last = measured
      if (until === "proof") resolve(measured)
    },
    ended: reject,
  })
  try {
    return await promise
  } finally {
    connection.close()
  }
}
