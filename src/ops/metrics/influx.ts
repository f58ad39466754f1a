/**
 * Sends measurements to InfluxDB 1.8 and 2.x at a fixed interval. Only one round is in memory: every value is a total or a
 * present state, so a round that the server does not take is left out, never queued or repeated. Nothing waits for the server: if a
 * round is still under way when the next is due, the next one is skipped.
 */
import { InfluxDB, Point, setLogger, type Transport } from "@influxdata/influxdb-client"
import type { InfluxTarget } from "../../config/influxTarget.ts"
import { CosignerError, errorText } from "../../errors.ts"
import type { Log } from "../../log.ts"
import { AS_IT_IS, readBounded, requestOptions } from "../../outbound.ts"
import type { Family } from "./registry.ts"

interface InfluxOptions {
  readonly target: InfluxTarget
  readonly prefix: string
  /** On every point. */
  readonly tags: Readonly<Record<string, string>>
  readonly intervalMs: number
  /** How long the server may take for a round. */
  readonly timeoutMs: number
  readonly families: () => readonly Family[]
  readonly onSkipped: () => void
  readonly now: () => number
  readonly log: Log
}

export interface InfluxExporter {
  /** Sends a last round if the server takes it within `ms`. Never rejects. */
  stop(ms: number): Promise<void>
}

export function startInflux(options: InfluxOptions): InfluxExporter {
  setLogger({ error: () => undefined, warn: () => undefined })
  const { target, intervalMs } = options
  const client = new InfluxDB({
    url: target.url,
    transport: transportTo(target, options.timeoutMs),
    writeOptions: { maxRetries: 0, flushInterval: 0, batchSize: 1_000_000, maxBatchBytes: 50_000_000 },
  })
  let underWay: Promise<void> | undefined
  let isFailing = false

  async function send(): Promise<void> {
    const api = client.getWriteApi(target.org, target.bucket, "ms")
    api.useDefaultTags({ ...options.tags })
    const points = pointsOf(options.families(), options.prefix, options.now())
    const begun = performance.now()
    api.writePoints(points)
    try {
      await api.close()
      options.log.trace("measurements sent", () => ({
        points: points.length,
        tookMs: Math.round(performance.now() - begun),
      }))
      if (isFailing) options.log.info("InfluxDB accepts measurements again", { server: target.url })
      isFailing = false
    } catch (error) {
      options.onSkipped()
      if (!isFailing) {
        const failure = new CosignerError("E-STA-020", { url: target.url, reason: reasonOf(error) })
        options.log.warn(failure.message, { code: failure.code, next: failure.next })
      }
      isFailing = true
    }
  }

  function round(): void {
    if (underWay !== undefined) return options.onSkipped()
    underWay = send().finally(() => {
      underWay = undefined
    })
  }

  const timer = setInterval(round, intervalMs)
  return {
    async stop(ms) {
      clearInterval(timer)
      const patience = Promise.withResolvers<void>()
      const alarm = setTimeout(patience.resolve, ms)
      const last = async () => {
        await underWay
        await send()
      }
      await Promise.race([last(), patience.promise])
      clearTimeout(alarm)
    },
  }
}

/**
 * Counters and gauges have the field `value`. Histograms have `count`, `sum`, and `le_<bound>`, the number of values up to that bound. A
 * backslash at the end of a tag would join it with the next one, and the protocol has no escape for it, so tags contain none.
 */
export function pointsOf(families: readonly Family[], prefix: string, atMs: number): readonly Point[] {
  return families.flatMap(({ name, metric, series }) =>
    series.map(({ labels, value }) => {
      const point = new Point(`${prefix}${name}`).timestamp(atMs)
      for (const [label, of] of labels) if (of !== "") point.tag(label, of.replaceAll("\\", "/"))
      if (typeof value === "number") return point.floatField("value", value)
      point.intField("count", value.count).floatField("sum", value.sum)
      const bounds = metric.type === "histogram" ? metric.buckets : []
      for (const [i, bound] of bounds.entries()) point.intField(`le_${bound}`, value.atMost[i] ?? 0)
      return point
    }),
  )
}

/** InfluxDB answers a write with nothing, or with an error of a few hundred bytes. */
const MAX_ANSWER_BYTES = 10_000
/** The error code of a 2.x server, such as "unauthorized". The rest of an answer may repeat the request with its token. */
const ANSWER_CODE = /^\s*\{\s*"code"\s*:\s*"([a-z ]{1,40})"/

/**
 * The client library's own transport for servers keeps sockets and timers of its own. This one is a fetch with a timeout. Redirects
 * are refused, because the token is for this server alone.
 */
function transportTo(target: InfluxTarget, timeoutMs: number): Transport {
  const never = () => {
    throw new TypeError("only writes are made")
  }
  const base = target.url.replace(/\/+$/, "")
  return {
    send(path, body, { method, headers }, callbacks) {
      const done = async () => {
        const response = await fetch(`${base}${path}`, {
          ...requestOptions(),
          method,
          headers: {
            ...headers,
            ...AS_IT_IS,
            ...(target.token === "" ? {} : { authorization: `Token ${target.token}` }),
          },
          body,
          redirect: "error",
          signal: AbortSignal.timeout(timeoutMs),
        })
        callbacks?.responseStarted?.(Object.fromEntries(response.headers), response.status)
        const said = (await readBounded(response, MAX_ANSWER_BYTES))?.toString() ?? ""
        if (!response.ok) throw new Error(`HTTP ${response.status} ${ANSWER_CODE.exec(said)?.[1] ?? ""}`.trim())
      }
      done().then(
        () => callbacks?.complete?.(),
        (error: unknown) => callbacks?.error?.(error instanceof Error ? error : new Error(errorText(error))),
      )
    },
    request: never,
    iterate: never,
    chunkCombiner: {
      concat: (first, second) => Buffer.concat([first, second]),
      copy: (chunk, start, end) => chunk.slice(start, end),
      toUtf8String: (chunk, start, end) => Buffer.from(chunk.slice(start, end)).toString(),
    },
  }
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return errorText(error)
  return error.name === "TimeoutError" ? "no answer in time" : error.message
}
