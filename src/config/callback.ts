/** [callback]: the customer's servers that approve or reject each task. All of them must approve. */
import { Type } from "@sinclair/typebox"
import { boolean, duration, entryOf, integer, path, tableOf, url } from "../settings/schema.ts"

const server = (version: string, pathname: string) =>
  entryOf(`A server that speaks ${version}. Every server must approve.`, {
    service_address: url(
      { schemes: ["https", "http"], credentials: false },
      `http://127.0.0.1:11020${pathname}`,
      "Where to POST, path included.",
    ),
    pubkey_path: path("configs/callback-server-pub.key", "PEM (SPKI) of the RSA key that signs its answers."),
  })

const MAX_SERVERS = 32
const servers = (version: string, pathname: string) =>
  Type.Array(server(version, pathname), {
    default: [],
    maxItems: MAX_SERVERS,
    description: `Servers that speak ${version}.`,
    expected: `a list of at most ${MAX_SERVERS} tables`,
  })

export const callback = tableOf("Risk control by your own servers.", {
  token_expire_minutes: integer(1, 60, 2, "How long a request's token is valid, in minutes. Flag: --cb-token-expire."),
  retry_times: integer(
    0,
    1_000_000,
    2,
    "Further tries if there is no valid answer; 0 is without limit, within the task's deadline. Flag: --cb-retry-times.",
  ),
  sleep_seconds: integer(0, 3600, 15, "Seconds between tries. Flag: --cb-sleep-seconds."),
  request_timeout: integer(1, 600, 10, "Seconds for one request. Flag: --cb-request-timeout."),
  ask_key_share_sign: boolean(
    false,
    "Ask the servers about KeyShareSign tasks too. The published server templates do not know these tasks and reject them.",
  ),
  monitor_interval: duration("", "How often to ping the servers. Flag: --cb-monitor-interval."),
  ca_path: Type.Optional(
    path("configs/callback-ca.pem", "PEM of the authorities to trust for https, instead of the system's."),
  ),
  cb_server: servers("version 1 of the protocol", "/v1/check"),
  cb_server_v2: servers("version 2 of the protocol", "/v2/check"),
})
