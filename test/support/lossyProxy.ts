/**
 * A TCP proxy on the loopback that loses the answer to what it is told to: the server has done it, and the client hears nothing. It can
 * also hang, as a network does that drops everything: no connection ends, and nothing comes any more.
 */
import { connect, createServer, type Socket } from "node:net"

export interface LossyProxy extends Disposable {
  readonly port: number
  /** How often an answer was lost. */
  lost(): number
  /** So many more. */
  lose(more: number): void
  /** Of all connections that there are; later ones are served. */
  hang(): void
}

/** `times`: so many requests that contain `words` lose their answer, and their connection with it. */
export async function lossyProxy(target: number, words = "", times = 0): Promise<LossyProxy> {
  let asked = times
  let left = times
  let numbered = 0
  let hanging = 0
  const sockets = new Set<Socket>()
  const kept = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on("error", () => {}).on("close", () => sockets.delete(socket))
  }
  const server = createServer((socket) => {
    const client = kept(socket)
    const upstream = kept(connect(target, "127.0.0.1"))
    let isLosing = false
    const number = ++numbered
    client.on("data", (data) => {
      if (number <= hanging) return
      if (left > 0 && data.includes(words)) {
        left--
        isLosing = true
      }
      upstream.write(data)
    })
    upstream.on("data", (data) => {
      if (number <= hanging) return
      if (isLosing) client.destroy()
      else client.write(data)
    })
    client.on("close", () => upstream.destroy())
    upstream.on("close", () => client.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("no port")
  return {
    port: address.port,
    lost: () => asked - left,
    lose(more) {
      asked += more
      left += more
    },
    hang() {
      hanging = numbered
    },
    [Symbol.dispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
