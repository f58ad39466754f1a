/** The event servers as the sender uses them: each with its own settings or the table's defaults, all checked. */
import { CosignerError } from "../errors.ts"
import { checkServerUrl } from "../wire/serverUrl.ts"
import { EVENT_TYPES } from "./envelope.ts"

export interface EventServer {
  readonly url: string
  readonly eventTypes: readonly string[]
  readonly tokenExpireMinutes: number
  /** Further tries after the first; 0 is for ever. */
  readonly retryTimes: number
  readonly sleepSeconds: number
  readonly requestTimeoutSeconds: number
  /** Undefined: no proxy, not even the environment's. */
  readonly proxy: string | undefined
  /** Undefined: no pings. */
  readonly monitorIntervalMs: number | undefined
}

interface EventSettings {
  readonly event_types: readonly string[]
  readonly token_expire_minutes: number
  readonly retry_times: number
  readonly sleep_seconds: number
  readonly request_timeout: number
  readonly proxy?: string | undefined
  readonly monitor_interval: number | undefined
}

type Own = { readonly [K in keyof EventSettings]?: EventSettings[K] | undefined } & { readonly url: string }

/**
 * The servers of [event]. Throws E-RSK-130 for an address, E-RSK-203 for a type that does not exist, and E-RSK-205 for an
 * address that occurs twice, however it is spelt.
 */
export function eventServers(config: EventSettings & { readonly server: readonly Own[] }): readonly EventServer[] {
  const servers = config.server.map((own) => serverOf(own, config))
  const seen = new Set<string>()
  for (const { url } of servers) {
    const { href } = new URL(url)
    if (seen.has(href)) throw new CosignerError("E-RSK-205", { server: url })
    seen.add(href)
  }
  return servers
}

function serverOf(own: Own, config: EventSettings): EventServer {
  const eventTypes = own.event_types ?? config.event_types
  const strange = eventTypes.find((type) => !EVENT_TYPES.includes(type))
  if (strange !== undefined)
    throw new CosignerError("E-RSK-203", { server: own.url, type: strange, known: EVENT_TYPES })
  return {
    url: checkServerUrl(own.url),
    eventTypes,
    tokenExpireMinutes: own.token_expire_minutes ?? config.token_expire_minutes,
    retryTimes: own.retry_times ?? config.retry_times,
    sleepSeconds: own.sleep_seconds ?? config.sleep_seconds,
    requestTimeoutSeconds: own.request_timeout ?? config.request_timeout,
    proxy: own.proxy ?? config.proxy,
    monitorIntervalMs: own.monitor_interval ?? config.monitor_interval,
  }
}
