/**
 * The way to WaaS, step by step: name, connection, TLS, proxy, the pinned key. The handshake is a real one, under a key that
 * is made for it and forgotten. WaaS proves itself and tells its time. admission.ts checks whether WaaS admits the node.
 */

import { lookup } from "node:dns/promises"
import { connect } from "node:net"
import type { Config } from "../../config/config.ts"
import { CosignerError, errorText } from "../../errors.ts"
import { errnoOf } from "../../files.ts"
import { addressesOf, type LinkOptions, shownUrl } from "../../link/options.ts"
import type { Store } from "../../store/store.ts"
import { checkAdmission } from "./admission.ts"
import { type Finding, failure, ok, skipped, warning } from "./finding.ts"
import { handshake, probeOptions } from "./handshake.ts"
import { keyInForce } from "./waasKey.ts"

/** Limits for a clock's offset: beyond the first, tokens fail now and then; beyond the second, always. */
const CLOCK = { doubtfulMs: 5_000, badMs: 60_000 }

const CONNECT_MS = 5_000

/** `store`: has the node's own key; undefined if it was not opened. */
export async function checkNetwork(config: Config, store: Store | undefined): Promise<readonly Finding[]> {
  let options: LinkOptions | undefined
  try {
    options = probeOptions(config)
  } catch (error) {
    if (error instanceof CosignerError) return [failure("waas.handshake", error)]
    throw error
  }
  if (options === undefined) return [skipped("waas.handshake", "websocket.url or websocket.waas_public_key is not set")]
  const { key, isCertain, finding } = keyInForce(store, options.waasKey)
  if (key === undefined) return [finding]
  const target = { ...options, waasKey: key }
  const found = await Promise.all(
    addressesOf(options).map(async (url) => ({ url, findings: await checkAddress({ ...target, url }, config, store) })),
  )
  return [finding, ...ofReplicas(found).map((one) => (isCertain ? one : doubted(one)))]
}

interface CheckedAddress {
  readonly url: string
  readonly findings: readonly Finding[]
}

/** A node works through any good replica, so another replica that is not good is only a warning. */
function ofReplicas(checked: readonly CheckedAddress[]): readonly Finding[] {
  if (checked.length <= 1) return checked.flatMap(({ findings }) => findings)
  const isAnyGood = checked.some(({ findings }) => findings.every(({ level }) => level !== "failure"))
  return checked.flatMap(({ url, findings }) =>
    findings.map((one): Finding => {
      const address = shownUrl(url)
      const text = one.text.includes(address) ? one.text : `${address}: ${one.text}`
      return isAnyGood && one.level === "failure" ? { ...one, text, level: "warning" } : { ...one, text }
    }),
  )
}

/** A key other than the file's is not certainly a failure if the operator may have decided on it. */
const doubted = (found: Finding): Finding => (found.code === "E-LNK-004" ? { ...found, level: "warning" } : found)

async function checkAddress(
  options: LinkOptions,
  config: Config,
  store: Store | undefined,
): Promise<readonly Finding[]> {
  const { url, proxy } = options
  const via = new URL(proxy ?? url)
  const port = Number(via.port || (["wss:", "https:"].includes(via.protocol) ? 443 : 80))
  const host = via.hostname.replace(/^\[|\]$/g, "")
  const name = await checkName(host)
  if (name.level === "failure") return [name]
  const reached = await checkPort(host, port, shownUrl(url), proxy !== undefined)
  if (reached.level === "failure") return [name, reached]
  const proved = await checkHandshake(options)
  const isProved = proved.some(({ check, level }) => check === "waas.handshake" && level === "ok")
  return [name, reached, ...proved, ...(isProved ? [await checkAdmission(options, config, store)] : [])]
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
    const { rttMs, clockOffsetMs } = await handshake(options, "proof")
    return [
      ok("waas.handshake", `${url} proved the pinned key, round trip ${rttMs.toFixed(1)} ms`),
      checkClock("waas.clock", "WaaS", clockOffsetMs),
    ]
  } catch (error) {
    if (error instanceof CosignerError) return [failure("waas.handshake", error)]
    throw error
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
