/** Listens, in the thread of a page, and passes every request with the connection that it came by. */
import { dirname } from "node:path"
import { makeFolder } from "../files.ts"
import { type Listen, listenText } from "./listen.ts"
import { removeStale } from "./staleSocket.ts"

/** Requests have no body, except a form with a token, which is short. */
const MAX_BODY = 4096
const IDLE_SECONDS = 10

/** `client` is undefined if clients cannot be distinguished. */
export type Answer = (request: Request, client?: string | undefined) => Response | Promise<Response>

/** Resolves to the address, as the configuration has it, with the port that was really taken. */
export async function serveOn(listen: Listen, answer: Answer): Promise<string> {
  const fetch = (request: Request, server: Bun.Server<undefined>) =>
    answer(request, clientOf(server.requestIP(request)))
  if (listen.kind === "unix") {
    makeFolder(dirname(listen.path))
    await removeStale(listen.path)
    Bun.serve({ unix: listen.path, fetch, maxRequestBodySize: MAX_BODY, development: false })
    return listenText(listen)
  }
  const { port } = Bun.serve({
    hostname: listen.hostname,
    port: listen.port,
    fetch,
    maxRequestBodySize: MAX_BODY,
    idleTimeout: IDLE_SECONDS,
    development: false,
    // Outside of development mode the runtime would share the port with any process that asks for it.
    reusePort: false,
  })
  return listenText(listen, port)
}

/** A connection; a client of a unix socket is the socket's owner. */
const clientOf = (peer: Bun.SocketAddress | null): string | undefined =>
  peer === null || peer.address === "" ? undefined : `${peer.address} ${peer.port}`
