/** A real link whose WaaS falls silent without a word: the wire swallows what is said, and the sockets stay. */
import { expect, test } from "bun:test"
import { linkProbe, WATCH_LIMITS } from "../../../src/ops/readiness/probes.ts"
import { QUICK, startNode, startWaas, startWire } from "../../link/world.ts"

test("a node that lost one of three replicas says so, and is ready", async () => {
  const first = startWaas()
  const others = [1, 2].map(() => startWaas({ identity: first.identity }))
  const node = startNode(first, { others: others.map(({ port }) => `ws://127.0.0.1:${port}/ws`) })
  try {
    const { look } = linkProbe({ ...WATCH_LIMITS, linkHoldMs: 0 }, () => node.link.state())
    await node.online(3)
    expect(look()).toMatchObject({ state: "ok", reason: expect.stringContaining("3 of 3 replicas") })
    await others[0]?.stop()
    await node.journal.until(() => node.link.state().replicas[1]?.phase !== "online")
    const away = `ws://127.0.0.1:${others[0]?.port}/ws`
    expect(look()).toMatchObject({
      state: "ok",
      reason: expect.stringContaining("2 of 3 replicas"),
      notice: { code: "E-LNK-027", data: { up: 2, of: 3, away: expect.stringContaining(away) } },
    })
  } finally {
    node.link.stop()
    for (const waas of [first, ...others]) await waas.stop()
  }
})

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
