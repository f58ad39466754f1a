/**
 * The status port under load: questions per second on /status from 16 connections that ask again as soon as they are
 * answered, and how late the main thread comes meanwhile, which is what signing would feel.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"
import { rig } from "../../test/ops/port/rig.ts"

const CONNECTIONS = 16
const WARM_UP_MS = 500
const RUN_MS = 3_000
const BEAT_MS = 1_000

const CLIENT = `
const [port, connections, warmUp, runFor] = JSON.parse(process.env.BENCH)
const request = "GET /status HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\n\\r\\n"
let answers = 0
for (let i = 0; i < connections; i++) {
  let text = ""
  await Bun.connect({
    hostname: "127.0.0.1",
    port: port,
    socket: {
      open: (socket) => void socket.write(request),
      data(socket, chunk) {
        text += chunk.toString("latin1")
        const head = text.indexOf("\\r\\n\\r\\n")
        const length = Number(/content-length: (\\d+)/i.exec(text)?.[1])
        if (head < 0 || text.length < head + 4 + length) return
        if (!text.startsWith("HTTP/1.1 200")) throw new Error(text.slice(0, 80))
        text = ""
        answers++
        socket.write(request)
      },
    },
  })
}
await Bun.sleep(warmUp)
answers = 0
const from = performance.now()
await Bun.sleep(runFor)
console.log(answers / (performance.now() - from) * 1000)
process.exit(0)
`

export async function benchStatus(): Promise<object[]> {
  await using it = await rig()
  await it.settled()
  const beat = setInterval(it.beat, BEAT_MS)
  const delay = monitorEventLoopDelay({ resolution: 10 })
  const quiet = await delayOver(delay, RUN_MS)
  const client = Bun.spawn([process.execPath, "-e", CLIENT], {
    env: { BENCH: JSON.stringify([Number(new URL(it.url).port), CONNECTIONS, WARM_UP_MS, RUN_MS]) },
    stdout: "pipe",
    stderr: "inherit",
  })
  const loaded = await delayOver(delay, WARM_UP_MS + RUN_MS)
  const perSecond = Number(await client.stdout.text())
  clearInterval(beat)
  if (!(perSecond > 0)) throw new Error("the port did not answer")
  return [
    {
      op: "status_port",
      connections: CONNECTIONS,
      requests_per_second: Math.round(perSecond),
      main_thread_delay_p99_ms_idle: quiet,
      main_thread_delay_p99_ms_loaded: loaded,
    },
  ]
}

async function delayOver(delay: ReturnType<typeof monitorEventLoopDelay>, ms: number): Promise<number> {
  delay.reset()
  delay.enable()
  await Bun.sleep(ms)
  delay.disable()
  return Math.round(delay.percentile(99) / 1e4) / 100
}
