/**
 * Where WaaS may send webhooks. The holder of an API key must not be able to make WaaS call servers inside its operator's network, so the
 * operator names the allowed hosts; without any, webhooks are off.
 */
import { isLoopback } from "../../outbound.ts"

/** Why WaaS does not call `url`, for the caller; undefined if it does. `hosts`: `name` or `name:port`, as in the configuration. */
export function problemOfTarget(url: string, hosts: readonly string[]): string | undefined {
  if (hosts.length === 0)
    return "webhooks are off: the operator of WaaS names the hosts in waas.webhooks.hosts of waas.toml"
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  if (parsed === undefined) return "it is not an absolute URL"
  if (parsed.username !== "" || parsed.password !== "") return "user and password do not belong into it"
  if (parsed.hash !== "") return "a fragment does not belong into it"
  if (parsed.protocol !== "https:" && !(parsed.protocol === "http:" && isLoopback(parsed.hostname))) {
    return "it does not begin with https://; http is for a loopback address"
  }
  if (hosts.includes(parsed.host) || hosts.includes(parsed.hostname)) return undefined
  return `the host ${parsed.host} is not in waas.webhooks.hosts of waas.toml`
}
