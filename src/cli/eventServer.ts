/** `cosigner event-server`: prints what nodes report, one JSON object per line, until a signal ends it. */
import { readNodeKey } from "../callback/servers.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { startEventServer } from "../kit/eventServer.ts"
import { command, list, refuse, value } from "./command.ts"
import { serverOutput } from "./serverOutput.ts"

export const eventServer = command({
  summary: "Run a small event server that prints what nodes report",
  details: "For demos and as a start for your own. `cosigner event key info` prints the key that --node-key wants.",
  options: {
    listen: value(
      "--listen <host:port>",
      "a loopback address (default 127.0.0.1:11030); port 0 takes a free one",
      hostAndPort,
    ),
    nodeKeys: list("--node-key <file>", "event public keys of the nodes, PEM files"),
  },
  examples: [["cosigner event-server --node-key node1-event.pem", "print the events of one node"]],
  run: async ({ globals, options }) => {
    const out = serverOutput(globals.json)
    if (options.nodeKeys.length === 0) refuse("--node-key", "at least one PEM file", "")
    const server = startEventServer(
      {
        nodeKeys: options.nodeKeys.map(readNodeKey),
        now: Date.now,
        onEvent: ({ eventType, body }) => {
          const isTold = out.tell({ event: "received", ...body }, `${eventType} ${JSON.stringify(body)}`)
          // An event that was dropped was not taken, so the node sends it again.
          if (!isTold) throw new CosignerError("E-CLI-013", { why: "nobody reads it" })
        },
      },
      options.listen ?? { hostname: "127.0.0.1", port: 11030 },
    )
    const url = `http://${server.hostname}:${server.port}/v2/event`
    out.tell({ event: "listening", url }, `Listening on ${url}`)
    await new Promise<void>((resolve) => {
      process.once("SIGINT", () => resolve())
      process.once("SIGTERM", () => resolve())
    })
    await server.stop()
    out.end()
    return EXIT.ok
  },
})

function hostAndPort(text: string): { readonly hostname: string; readonly port: number } {
  const [, hostname = "", port = ""] = /^(127\.0\.0\.1|localhost|\[::1\]):([0-9]{1,5})$/.exec(text) ?? []
  if (hostname === "" || Number(port) > 65_535) refuse("--listen", "a loopback address and a port", text)
  return { hostname: hostname.replaceAll(/[[\]]/g, ""), port: Number(port) }
}
