/** [event]: the customer's servers that get events. A key of a server takes precedence over the table's. */
import { type TSchema, Type } from "@sinclair/typebox"
import { duration, entryOf, integer, path, tableOf, text, url } from "../settings/schema.ts"

const MAX_SERVERS = 32
const MAX_TYPES = 64

const types = (description: string) => ({
  maxItems: MAX_TYPES,
  uniqueItems: true,
  description,
  expected: 'a list of event types, such as "request.keysign.succeeded"',
})
const eventType = () => text("request.keysign.succeeded", "An event type.")
const proxy = () =>
  url({ schemes: ["http", "https"], credentials: true }, "http://proxy.example.com:3128", "HTTP proxy to go through.")

/** The same key for one server: it has no default of its own, because the table's value applies. */
const own = <S extends TSchema>(schema: S): S => ({ ...schema, default: undefined, example: schema["default"] })

const tokenExpire = integer(1, 60, 2, "How long a message's token is valid, in minutes.")
const retryTimes = integer(0, 1_000_000, 60, "Further tries of a delivery; 0 is for ever.")
const sleepSeconds = integer(0, 3600, 60, "Seconds between tries.")
const requestTimeout = integer(1, 600, 10, "Seconds for one request.")

const server = entryOf("A server that gets events. Keys that are left out have the values of [event].", {
  url: url(
    { schemes: ["https", "http"], credentials: false },
    "http://127.0.0.1:11030/v2/event",
    "Where to POST, path included.",
  ),
  event_types: Type.Optional(Type.Array(eventType(), types("What this server is told."))),
  token_expire_minutes: Type.Optional(own(tokenExpire)),
  retry_times: Type.Optional(own(retryTimes)),
  sleep_seconds: Type.Optional(own(sleepSeconds)),
  request_timeout: Type.Optional(own(requestTimeout)),
  proxy: Type.Optional(proxy()),
  monitor_interval: Type.Optional(own(duration("", "How often to ping this server."))),
})

export const event = tableOf(
  "Notifications to your own servers. The event key must exist: cosigner event key create.",
  {
    event_types: Type.Array(eventType(), {
      ...types("The events that the servers get. With an empty list they get none."),
      default: [],
    }),
    token_expire_minutes: tokenExpire,
    retry_times: retryTimes,
    sleep_seconds: sleepSeconds,
    request_timeout: requestTimeout,
    proxy: Type.Optional(proxy()),
    monitor_interval: duration("", "How often to ping the servers."),
    ca_path: Type.Optional(
      path("configs/event-ca.pem", "PEM of the authorities to trust for https, instead of the system's."),
    ),
    server: Type.Array(server, {
      default: [],
      maxItems: MAX_SERVERS,
      description: "The servers.",
      expected: `a list of at most ${MAX_SERVERS} tables`,
    }),
  },
)
