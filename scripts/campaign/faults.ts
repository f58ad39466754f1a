/** The faults of each campaign: what one of them does to the fleet, and how many requests are under way meanwhile. */
import { CALLBACK_FAULTS, Callbacks } from "./callbacks.ts"
import { between, type Draw, oneOf } from "./draw.ts"
import type { Fleet } from "./fleet.ts"
import { LINK_FAULTS } from "./wire.ts"

export interface Campaign {
  readonly what: string
  /** Requests under way at one time. */
  readonly atOnce: number
  /** Before its first request; the result is called after its last one. */
  readonly prepare?: (fleet: Fleet) => Promise<() => Promise<void>>
  /** One fault; how many there were. */
  readonly fault: (fleet: Fleet, draw: Draw) => Promise<number>
  /** Why it cannot be played on this machine. */
  readonly missing?: () => string | undefined
}

/** Nodes take a clock that is 5 s off for wrong; requests live 300 s, and callers' times may be as far off. */
const CLOCK_JUMP_MS = { least: 6_000, most: 60_000 }

function callbackCampaign(): Campaign {
  let server: Callbacks | undefined
  return {
    what: "the callback server of all nodes hangs, is slow, answers 500, garbage, or under another key, or is cut off",
    atOnce: 4,
    async prepare(fleet) {
      const callbacks = new Callbacks()
      server = callbacks
      const back = await fleet.configure((folder) => callbacks.toml(folder))
      return async () => {
        await back()
        callbacks[Symbol.dispose]()
      }
    },
    async fault(_, draw) {
      await Bun.sleep(between(draw, 100, 1_000))
      if (server === undefined) return 0
      server.fault = oneOf(draw, CALLBACK_FAULTS)
      await Bun.sleep(between(draw, 200, 3_000))
      server.fault = undefined
      return 1
    },
  }
}

export const CAMPAIGNS: Readonly<Record<string, Campaign>> = {
  stop: {
    what: "SIGSTOP of a random process for up to six seconds",
    atOnce: 4,
    async fault(fleet, draw) {
      await Bun.sleep(between(draw, 0, 1_000))
      return Number(await fleet.pause(oneOf(draw, fleet.names), between(draw, 100, 6_000)))
    },
  },
  restart: {
    what: "orderly restarts of a random node",
    atOnce: 4,
    async fault(fleet, draw) {
      await Bun.sleep(between(draw, 0, 1_500))
      return Number(await fleet.restart(oneOf(draw, fleet.names.slice(1)), "SIGTERM"))
    },
  },
  disk: {
    what: "the files of a random process, WaaS among them, cannot grow, or cannot be written (RLIMIT_FSIZE; mounts are left alone)",
    atOnce: 4,
    missing: () => (Bun.which("prlimit") === null ? "prlimit is not here" : undefined),
    async fault(fleet, draw) {
      await Bun.sleep(between(draw, 0, 1_000))
      const how = draw() < 0.5 ? "full" : "read-only"
      return Number(await fleet.fillDisk(oneOf(draw, fleet.names), how, between(draw, 500, 5_000)))
    },
  },
  link: {
    what: "the connection of a random node is delayed, loses packets, drips, goes half-open, is reset, or cut",
    atOnce: 4,
    async fault(fleet, draw) {
      await Bun.sleep(between(draw, 0, 1_000))
      const wire = oneOf(draw, [...fleet.wires.values()])
      await wire.suffer(oneOf(draw, LINK_FAULTS), between(draw, 500, 5_000), draw)
      return 1
    },
  },
  clock: {
    what: "the clock of WaaS, which runs from source for it, jumps by up to a minute, both ways, and back",
    atOnce: 4,
    prepare: (fleet) => fleet.takeClock(),
    async fault(fleet, draw) {
      await Bun.sleep(between(draw, 500, 2_000))
      const jump = between(draw, CLOCK_JUMP_MS.least, CLOCK_JUMP_MS.most)
      fleet.setClock(draw() < 0.5 ? jump : -jump)
      await Bun.sleep(between(draw, 500, 4_000))
      fleet.setClock(0)
      return 1
    },
  },
  callback: callbackCampaign(),
  backlog: {
    what: "far more requests at one time than nodes take, and no other fault",
    atOnce: 400,
    async fault() {
      await Bun.sleep(1_000)
      return 0
    },
  },
}
