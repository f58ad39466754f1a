/**
 * What stands in front of WaaS: every request and answer of the REST API and every message of the nodes' links passes
 * through it as it is, and the leakScanner keeps a copy. It can do this because links prove keys and not addresses.
 */
import type { LeakScanner } from "./leakScanner.ts"

interface Leg {
  readonly up: WebSocket
  /** What came before the other side was there. */
  readonly early: Uint8Array<ArrayBuffer>[]
}

export interface Front {
  readonly url: string
  stop(): Promise<void>
}

export function standInFront(text: string, leakScanner: LeakScanner): Front {
  const server = Bun.serve<Leg>({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 120,
    async fetch(request, self) {
      const { pathname, search } = new URL(request.url)
      if (pathname === "/ws") {
        const up = new WebSocket(`${text.replace(/^http/, "ws")}/ws`)
        up.binaryType = "arraybuffer"
        return self.upgrade(request, { data: { up, early: [] } }) ? undefined : new Response("", { status: 426 })
      }
      const body = await request.arrayBuffer()
      leakScanner.hear("rest", "requests", `${request.method} ${pathname}${search}\n${headersOf(request.headers)}\n`)
      leakScanner.hear("rest", "requests", new Uint8Array(body))
      const answer = await fetch(`${text}${pathname}${search}`, {
        method: request.method,
        headers: request.headers,
        ...(body.byteLength === 0 ? {} : { body }),
      }).catch(() => new Response("", { status: 502 }))
      const said = await answer.arrayBuffer()
      leakScanner.hear("rest", "answers", `\n${answer.status}\n${headersOf(answer.headers)}\n`)
      leakScanner.hear("rest", "answers", new Uint8Array(said))
      const headers = new Headers(answer.headers)
      headers.delete("content-length")
      return new Response(said, { status: answer.status, headers })
    },
    websocket: {
      perMessageDeflate: false,
      maxPayloadLength: 64 * 1024 * 1024,
      backpressureLimit: 256 * 1024 * 1024,
      idleTimeout: 0,
      open(down) {
        const { up, early } = down.data
        up.onopen = () => {
          for (const message of early.splice(0)) up.send(message)
        }
        up.onmessage = ({ data }: MessageEvent<unknown>) => {
          if (!(data instanceof ArrayBuffer)) return
          leakScanner.hear("frames", "to nodes", new Uint8Array(data))
          down.sendBinary(new Uint8Array(data))
        }
        up.onerror = () => down.terminate()
        up.onclose = ({ code }) => down.close(code === 1006 ? 1001 : code)
      },
      message(down, message) {
        const bytes = Uint8Array.from(typeof message === "string" ? Buffer.from(message) : message)
        leakScanner.hear("frames", "from nodes", bytes)
        const { up, early } = down.data
        if (up.readyState === WebSocket.OPEN) up.send(bytes)
        else if (up.readyState === WebSocket.CONNECTING) early.push(bytes)
      },
      close(down) {
        down.data.up.close()
      },
    },
  })
  return { url: `http://127.0.0.1:${server.port}`, stop: () => server.stop(true) }
}

const headersOf = (headers: Headers): string => [...headers].map(([name, value]) => `${name}: ${value}`).join("\n")
