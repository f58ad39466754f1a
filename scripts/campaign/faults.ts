/** The faults of each campaign: what one of them does to the fleet, and how many requests are under way meanwhile. */
import { CALLBACK_FAULTS, Callbacks } from "./callbacks.ts"
import { between, type Draw, oneOf, shuffled } from "./draw.ts"
import type { Fleet } from "./fleet.ts"
import { MOMENT_MS, type Moment, momentsOf, NO_MOMENT } from "./moments.ts"
import { LINK_FAULTS } from "./wire.ts"

export interface Campaign {
  readonly what: string
  /** Requests under way at one time. */
  readonly atOnce: number
  /** Whether vaults are made and dealt again meanwhile. */
  readonly hasSetUps?: boolean
  /** Before its first request; the result is called after its last one. */
  readonly prepare?: (fleet: Fleet) => Promise<() => Promise<void>>
  /** Goes on until there were so many, however short it is; 0 unless given. */
  readonly leastFaults?: number
  /** One fault, by its name; none where nothing was done. `mostMs`: what is left of the campaign, below 0 in overtime. */
  readonly fault: (fleet: Fleet, draw: Draw, mostMs: number) => Promise<string | undefined>
  /** Why it cannot be played on this machine. */
  readonly missing?: () => string | undefined
}

const kindOf = (name: string): string => (name === "waas" ? "WaaS" : "node")
const noPrlimit = () => (Bun.which("prlimit") === null ? "prlimit is not here" : undefined)

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
      const fault = oneOf(draw, CALLBACK_FAULTS)
      if (server === undefined) return undefined
      server.fault = fault
      await Bun.sleep(between(draw, 200, 3_000))
      server.fault = undefined
      return fault
    },
  }
}

/** Every process at every moment, in an order that is drawn; then again. */
function stopCampaign(): Campaign {
  let left: readonly (readonly [string, Moment, "starting" | "working"])[] = []
  return {
    what: "SIGSTOP of each process at each phase of its work and of its start, for up to four seconds",
    atOnce: 4,
    hasSetUps: true,
    async fault(fleet, draw) {
      if (left.length === 0) {
        const all = fleet.names.flatMap((name) =>
          (["starting", "working"] as const).flatMap((when) =>
            momentsOf(name)[when].map((moment) => [name, moment, when] as const),
          ),
        )
        left = shuffled(draw, all)
      }
      const [next, ...others] = left
      left = others
      if (next === undefined) return undefined
      const [name, moment, when] = next
      if (when === "starting") await fleet.kill(name)
      const actor = when === "starting" ? fleet.spawn(name) : undefined
      const isCome = moment.line === undefined || (await fleet.hears(name, moment.line, MOMENT_MS))
      await Bun.sleep(draw() * moment.mostMs)
      await fleet.pause(name, between(draw, 100, 4_000))
      if (actor !== undefined) await fleet.ready(actor)
      return `${kindOf(name)}: ${isCome ? moment.name : NO_MOMENT}`
    },
  }
}

/** Longer than WaaS waits for a node that is silent; and longer than a node may be silent, shorter than a request lives. */
const SICK_MS = { least: 4_000, most: 40_000 }
const RESTART_EVERY_MS = 15_000

/** One node of three, in each of four ways, however short the campaign is: none of them may keep a request from completing. */
function sickCampaign(): Campaign {
  const forms = ["away", "hanging", "full", "restarting every 15 s"] as const
  let turn = 0
  return {
    what: "one node of three is away, hangs, has a full disk, or restarts every 15 s, for up to 40 s each",
    atOnce: 4,
    leastFaults: forms.length,
    missing: noPrlimit,
    async fault(fleet, draw, mostMs) {
      const nth = turn++ % forms.length
      const form = forms[nth]
      const name = oneOf(draw, fleet.names.slice(1))
      // Those that are still to come have their part of the time.
      const ms = Math.min(SICK_MS.most, Math.max(SICK_MS.least, mostMs / (forms.length - nth)))
      if (form === "hanging") await fleet.pause(name, ms)
      if (form === "full") {
        // Its database has some room of its own.
        const isNoticed = fleet.hears(name, /E-STO-013/, SICK_MS.most)
        const empty = await fleet.filledDisk(name, "full")
        const isFull = await isNoticed
        await Bun.sleep(ms)
        await empty()
        if (!isFull) return "full, and never wrote"
      }
      if (form === "away") {
        await fleet.kill(name)
        await Bun.sleep(ms)
        await fleet.begin(name)
      }
      for (const end = performance.now() + ms; form === "restarting every 15 s" && performance.now() < end; ) {
        await fleet.restart(name, "SIGKILL")
        await Bun.sleep(Math.min(RESTART_EVERY_MS, ms / 2))
      }
      return form
    },
  }
}

export const CAMPAIGNS: Readonly<Record<string, Campaign>> = {
  stop: stopCampaign(),
  restart: {
    what: "orderly restarts of a random process, WaaS among them",
    atOnce: 4,
    hasSetUps: true,
    async fault(fleet, draw) {
      await Bun.sleep(between(draw, 0, 1_500))
      const name = oneOf(draw, fleet.names)
      await fleet.restart(name, "SIGTERM")
      return kindOf(name)
    },
  },
  sick: sickCampaign(),
  disk: {
    what: "the files of a random process, WaaS among them, cannot grow, or cannot be written (RLIMIT_FSIZE; mounts are left alone)",
    atOnce: 4,
    hasSetUps: true,
    missing: noPrlimit,
    async fault(fleet, draw) {
      await Bun.sleep(between(draw, 0, 1_000))
      const how = draw() < 0.5 ? "full" : "read-only"
      const name = oneOf(draw, fleet.names)
      await fleet.fillDisk(name, how, between(draw, 500, 5_000))
      return `${kindOf(name)}: ${how}`
    },
  },
  link: {
    what: "the connection of a random node is delayed, loses packets, drips, goes half-open, is reset, or cut",
    atOnce: 4,
    hasSetUps: true,
    async fault(fleet, draw) {
      await Bun.sleep(between(draw, 0, 1_000))
      const wire = oneOf(draw, [...fleet.wires.values()])
      const fault = oneOf(draw, LINK_FAULTS)
      await wire.suffer(fault, between(draw, 500, 5_000), draw)
      return fault
    },
  },
  clock: {
    what: "the clock of WaaS, which runs from source for it, jumps by up to a minute, both ways, and back",
    atOnce: 4,
    prepare: (fleet) => fleet.takeClock(),
    async fault(fleet, draw) {
      await Bun.sleep(between(draw, 500, 2_000))
      const jump = between(draw, CLOCK_JUMP_MS.least, CLOCK_JUMP_MS.most)
      const isAhead = draw() < 0.5
      fleet.setClock(isAhead ? jump : -jump)
      await Bun.sleep(between(draw, 500, 4_000))
      fleet.setClock(0)
      return isAhead ? "ahead and back" : "behind and back"
    },
  },
  callback: callbackCampaign(),
}
