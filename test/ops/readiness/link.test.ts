/** A real link whose WaaS falls silent without a word: the wire swallows what is said, and the sockets stay. */
import { expect, test } from "bun:test"
import { linkProbe, WATCH_LIMITS } from "../../../src/ops/readiness/probes.ts"
import { QUICK, startNode, startWaas, startWire } from "../../link/world.ts"

test("silence on a link that is up takes readiness away before the link itself gives up", async () => {
  const waas = startWaas()
  const wire = await startWire(waas.port)
  // four heartbeats in the time that the watch allows, and two missed ones end the link long after it
  const timing = { ...QUICK, pingMs: 100, missedPings: 30 }
  const node = startNode({ identity: waas.identity, port: wire.port }, { timing })
  try {
    const { look } = linkProbe({ ...WATCH_LIMITS, linkSilentMs: 400 }, () => node.link.state())
    await node.online()
    expect(look().state).toBe("ok")
    await Bun.sleep(600)
    expect(look().state).toBe("ok")
    wire.swallow()
    const cutAt = performance.now()
    while (look().state === "ok" && performance.now() - cutAt < 10_000) await Bun.sleep(10)
    expect(look()).toMatchObject({ state: "failed", error: { code: "E-STA-011" } })
    expect(node.link.state().phase).toBe("online")
  } finally {
    node.link.stop()
    await wire.close()
    await waas.stop()
  }
}, 30_000)
