/**
 * The way to WaaS, step by step: name, connection, TLS, proxy, the pinned key. The handshake is a real one, under a key that
 * is made for it and forgotten: WaaS proves itself and tells its time, and the node itself is not registered, nor replaced.
 */

import { randomBytes } from "node:crypto"
import { lookup } from "node:dns/promises"
import { connect } from "node:net"
import { copy } from "../../bytes.ts"
import type { Config } from "../../config/config.ts"
import { linkTarget } from "../../config/startup.ts"
import { CosignerError, errorText } from "../../errors.ts"
import { errnoOf } from "../../files.ts"
import { partyBytes } from "../../keys/party.ts"
import { Connection, type Measured } from "../../link/connection.ts"
import { LINK_TIMING, type LinkOptions, shownUrl } from "../../link/options.ts"
import { silentLog } from "../../log.ts"
import { identityOf } from "../../mpc/envelope.ts"
import { Secret } from "../../secret.ts"
import { CHANNEL_LIMITS } from "../../wire/channel.ts"
import { type Finding, failure, ok, skipped, warning } from "./finding.ts"

/** A clock that is off by more: the first makes tokens fail now and then, the second always. */
export const CLOCK = { doubtfulMs: 5_000, badMs: 60_000 }

const CONNECT_MS = 5_000

export async function checkNetwork(config: Config): Promise<readonly Finding[]> {
  let options: LinkOptions | undefined
  try {
    options = optionsOf(config)
  } catch (error) {
    if (error instanceof CosignerError) return [failure("waas.handshake", error)]
    throw error
  }
  if (options === undefined) return [skipped("waas.handshake", "websocket.url or websocket.waas_public_key is not set")]
  const { url, proxy } = options
  const via = new URL(proxy ?? url)
  const port = Number(via.port || (["wss:", "https:"].includes(via.protocol) ? 443 : 80))
  const host = via.hostname.replace(/^\[|\]$/g, "")
  const name = await checkName(host)
  if (name.level === "failure") return [name]
  const reached = await checkPort(host, port, shownUrl(url), proxy !== undefined)
  if (reached.level === "failure") return [name, reached]
  return [name, reached, ...(await checkHandshake(options))]
}

/** Under a key that is made for it; undefined where the configuration has no address or key. Throws what `start` would. */
function optionsOf(config: Config): LinkOptions | undefined {
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

async function checkName(host: string): Promise<Finding> {
  try {
    const found = await lookup(host, { all: true })
    return ok("waas.name", `${host} is ${found.map(({ address }) => address).join(", ")}`)
  } catch (error) {
    return failure("waas.name", new CosignerError("E-OPS-109", { host, why: codeOf(error) }))
  }
}

async function checkPort(host: string, port: number, url: string, isProxy: boolean): Promise<Finding> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  const socket = connect({ host, port })
  const timer = setTimeout(() => resolve(`no answer within ${CONNECT_MS} ms`), CONNECT_MS)
  socket.once("connect", () => resolve(undefined))
  socket.once("error", (error) => resolve(codeOf(error)))
  const failed = await promise
  clearTimeout(timer)
  socket.destroy()
  const target = `${isProxy ? "the proxy " : ""}${host}:${port}`
  if (failed === undefined) return ok("waas.connection", `${target} accepts connections`)
  return failure("waas.connection", new CosignerError("E-LNK-001", { url, detail: `${target}: ${failed}` }))
}

async function checkHandshake(options: LinkOptions): Promise<readonly Finding[]> {
  const url = shownUrl(options.url)
  try {
    const { rttMs, clockOffsetMs } = await handshake(options)
    return [
      ok("waas.handshake", `${url} proved the pinned key, round trip ${rttMs.toFixed(1)} ms`),
      checkClock("waas.clock", "WaaS", clockOffsetMs),
    ]
  } catch (error) {
    if (error instanceof CosignerError) return [failure("waas.handshake", error)]
    throw error
  }
}

/** Resolves once WaaS has proved its key; rejects with how the connection ended before that. */
async function handshake(options: LinkOptions): Promise<Measured> {
  const { promise, resolve, reject } = Promise.withResolvers<Measured>()
  const connection = new Connection(options, {
    opened: () => {},
    established: () => {},
    packet: () => {},
    measured: resolve,
    ended: reject,
  })
  try {
    return await promise
  } finally {
    connection.close()
  }
}

/** `offsetMs`: the other clock minus ours. */
export function checkClock(check: string, whose: string, offsetMs: number): Finding {
  const off = Math.abs(offsetMs)
  const text = `${whose} is ${off} ms ${offsetMs < 0 ? "behind" : "ahead of"} this machine`
  if (off < CLOCK.doubtfulMs) return ok(check, text)
  const error = new CosignerError("E-OPS-108", { text })
  return off < CLOCK.badMs ? warning(check, error) : failure(check, error)
}

const codeOf = (error: unknown): string => errnoOf(error) ?? errorText(error)
