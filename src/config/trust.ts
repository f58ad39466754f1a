/** Requests to the customer's servers, under the authorities that the configuration trusts. */
import type { Fetch } from "../outbound.ts"

/** `fetch`, whose TLS trusts `ca` (PEM) instead of the system's authorities; undefined: the system's. */
export const fetchTrusting =
  (ca: string | undefined): Fetch =>
  (url, init) =>
    fetch(url, ca === undefined ? init : { ...init, tls: { ...init.tls, ca } })
