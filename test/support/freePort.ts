/** A port of the loopback that was free a moment ago, for what has to come back at the same address. */
export function freePort(): number {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("") })
  const { port } = server
  void server.stop(true)
  if (port === undefined) throw new Error("no port is free")
  return port
}
