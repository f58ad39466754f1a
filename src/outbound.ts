/**
 * What all HTTP requests to the customer's servers (callback, event, InfluxDB) have in common: no redirect is followed, no proxy
 * of the environment is used, nothing is unpacked, no idle connection is reused, and answers are read up to a bound.
 */

/** The shape of `fetch`. */
export type Fetch = (url: string, init: BunFetchRequestInit) => Promise<Response>

/** Asks for an uncompressed answer: an unpacked one could be two thousand times its size. */
export const AS_IT_IS: Readonly<Record<string, string>> = { "accept-encoding": "identity" }

/**
 * The options of one request, through `proxy` if there is one. Each request has its own connection. A load balancer may drop an
 * idle connection silently, and a request sent on it is lost until its time is up. A `connection: close` header does
 * not help: the runtime still takes an idle socket from its pool for it.
 */
export const requestOptions = (proxy?: string): BunFetchRequestInit => ({
  redirect: "manual",
  decompress: false,
  keepalive: false,
  // HTTP_PROXY and similar variables must not reroute these requests; false turns them off, and Bun's types lack it.
  proxy: proxy ?? (false as unknown as string),
})

/** Whether a URL or an address names only this machine. A name such as `127.example.com` does not. */
export const isLoopback = (hostname: string): boolean =>
  ["localhost", "::1", "[::1]"].includes(hostname) || /^127\.\d+\.\d+\.\d+$/.test(hostname)

/** The body, as soon as it is complete; undefined as soon as it grows beyond `maxBytes`, and the rest is never read. */
export async function readBounded(response: Response, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxBytes) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

interface FormPost {
  readonly url: string
  readonly form: Readonly<Record<string, string>>
  readonly headers?: Readonly<Record<string, string>>
  readonly proxy?: string | undefined
  readonly timeoutMs: number
  /** The caller's own end. */
  readonly signal: AbortSignal
}

/** `late`: the time was up. Otherwise the runtime's error, of which only the name may be shown: its text may repeat the address. */
type FormAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly late: boolean; readonly error: unknown }

/** One POST of a form. The connection ends with it, even if `read` has left part of the answer unread. */
export async function postForm<T>(
  fetch: Fetch,
  { url, form, headers = {}, proxy, timeoutMs, signal }: FormPost,
  read: (response: Response) => T | Promise<T>,
): Promise<FormAnswer<T>> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort("timeout"), timeoutMs)
  const onAbort = () => abort.abort("outside")
  signal.addEventListener("abort", onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    const response = await fetch(url, {
      ...requestOptions(proxy),
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", ...AS_IT_IS, ...headers },
      body: new URLSearchParams({ ...form }).toString(),
      signal: abort.signal,
    })
    return { ok: true, value: await read(response) }
  } catch (error) {
    return { ok: false, late: abort.signal.reason === "timeout", error }
  } finally {
    clearTimeout(timer)
    signal.removeEventListener("abort", onAbort)
    abort.abort("done")
  }
}
