/**
 * An HTTP server behind a load balancer that forgets idle connections: the first request of a connection is answered, and what
 * follows on it vanishes without a word.
 */
import { createServer, type Socket } from "node:net"

export interface ForgetfulServer extends Disposable {
  readonly url: string
  /** Requests that were answered, and those that vanished. */
  readonly counts: { answered: number; vanished: number }
}

const OK = "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok"
export const NO_CONTENT = "HTTP/1.1 204 No Content\r\nconnection: keep-alive\r\n\r\n"
const HEAD_END = "\r\n\r\n"

/** Whether `text` is a whole request: its head, and as much body as it announces. */
function isWhole(text: string): boolean {
  const end = text.indexOf(HEAD_END)
  if (end < 0) return false
  const length = Number(/^content-length: (\d+)/im.exec(text.slice(0, end))?.[1] ?? 0)
  return text.length - end - HEAD_END.length >= length
}

export async function forgetfulServer(answer: string = OK): Promise<ForgetfulServer> {
  const counts = { answered: 0, vanished: 0 }
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let request = ""
    let answered = false
    socket.on("error", () => undefined)
    socket.on("data", (data) => {
      if (answered) {
        counts.vanished += 1
        return
      }
      request += data.toString("latin1")
      if (!isWhole(request)) return
      answered = true
      counts.answered += 1
      socket.write(answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    counts,
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
}
