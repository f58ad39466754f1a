/**
 * kill -9 of every process, each by a schedule of its own that the seed decides: at a moment of its work, and up to three times more
 * while it starts. Nobody waits for time, only for lines that processes write and for requests that end; few processes are down at once.
 * Meanwhile vaults of distinct thresholds sign, others are made, and one is dealt again from node to node.
 */
import { isCode } from "../../src/errors.ts"
import { between, type Draw, drawFrom, oneOf, shuffled } from "./draw.ts"
import { Fleet } from "./fleet.ts"
import { type Signed, signed } from "./load.ts"
import { MOMENT_MS, type Moment, momentsOf, NO_MOMENT } from "./moments.ts"
import { changedAnswers } from "./play.ts"
import { dealAgain, lameQuorums, lostShares, makeKeys, openVault, refresh, type Ward } from "./vaults.ts"

/** Requests for signatures of each vault that are under way at one time. */
const AT_ONCE = 4
/** Nobody dies of a deadline where a busy machine makes this campaign slow: whether a request completes is asked, and not when. */
const DEADLINE_SECONDS = 1_200
/** Of the vault that moves: who is asked is in a request, so one that did not complete before its nodes left comes to its deadline. */
const MOVING_SECONDS = 90
/** Vaults that are made while processes are killed. */
const MOST_MADE = 24
/** Kills of one round: a process at work dies some five times in it, which an epoch survives (threshold.md 2.5 rule 9). */
const ROUND_KILLS = 60
/** Requests that complete before WaaS is killed again, whose end is felt by all; before a node is: one. */
const BETWEEN_WAAS_KILLS = 3
/** Quorums of one vault that have to sign afterwards, on both curves. */
const MOST_QUORUMS = 10
/** A process that does not start so often in a row is broken. */
const MOST_FAILED_STARTS = 5
/** Of the kills of a node at work, so many are followed by a migration of its database, which takes about so long. */
const MIGRATIONS = 0.1
const MIGRATION_MS = 90
const TELL_MS = 30_000

export interface KillWish {
  readonly minutes: number
  /** Ends the campaign, if minutes have not. */
  readonly kills: number
  readonly nodes: number
  readonly seed: number
}

export interface KillReport {
  readonly isSound: boolean
  readonly row: Readonly<Record<string, string | number>>
  readonly moments: readonly Readonly<Record<string, string | number>>[]
}

export async function kills(wish: KillWish): Promise<KillReport> {
  const fleet = await Fleet.start({ nodes: wish.nodes, level: "trace" })
  try {
    const campaign = new KillCampaign(fleet, wish)
    await campaign.begin()
    await campaign.play()
    return await campaign.judge()
  } finally {
    await fleet[Symbol.asyncDispose]()
  }
}

class KillCampaign {
  readonly #fleet: Fleet
  readonly #wish: KillWish
  readonly #slots: Slots
  readonly #tally = new Map<string, number>()
  readonly #answers: { readonly ward: Ward; readonly answer: Signed; readonly ms: number }[] = []
  /** Those that sign all the time; the last of them moves. */
  readonly #wards: Ward[] = []
  readonly #made: Ward[] = []
  readonly #failures: string[] = []
  readonly #waiting = new Set<() => void>()
  #endsAt = 0
  /** So many kills. */
  #roundEndsAt = 0
  #refreshes = 0
  #kills = 0
  #failedStarts = 0
  #reshares = 0
  #completed = 0

  constructor(fleet: Fleet, wish: KillWish) {
    this.#fleet = fleet
    this.#wish = wish
    // A vault needs more nodes than are away, most of the time.
    this.#slots = new Slots(Math.max(1, Math.floor(wish.nodes / 2)))
  }

  /** Vaults over all nodes of every threshold but one, and one of 2-of-3 that moves. */
  async begin(): Promise<void> {
    const { client, nodes } = this.#fleet
    const thresholds = Array.from({ length: nodes.length - 2 }, (_, index) => index + 2)
    const opened: Ward[] = []
    for (const threshold of thresholds) opened.push(await openVault(client, { nodes, threshold }))
    opened.push(await openVault(client, { nodes: nodes.slice(0, Math.min(3, nodes.length - 1)), threshold: 2 }))
    await Promise.all(nodes.map(({ name }) => this.#fleet.begin(name)))
    this.#wards.push(...(await Promise.all(opened.map((ward) => makeKeys(client, ward)))))
  }

  /** Round after round: in between nobody dies, what is under way comes to its end, and every epoch gives way to a new one. */
  async play(): Promise<void> {
    this.#endsAt = performance.now() + this.#wish.minutes * 60_000
    const timer = setTimeout(() => this.#wake(), this.#wish.minutes * 60_000 + 1)
    const telling = setInterval(() => this.#tell(), TELL_MS)
    const draws = new Map(["moves", "vaults", ...this.#fleet.names].map((whose) => [whose, this.#draw(whose)]))
    const draw = (whose: string): Draw => draws.get(whose) ?? this.#draw(whose)
    for (;;) {
      this.#roundEndsAt = Math.min(this.#kills + ROUND_KILLS, this.#wish.kills)
      await Promise.all([
        ...this.#wards.flatMap((_, place) => Array.from({ length: AT_ONCE }, (_, first) => this.#sign(place, first))),
        this.#move(draw("moves")),
        this.#make(draw("vaults")),
        ...this.#fleet.names.map((name) => this.#kill(name, draw(name))),
      ])
      if (performance.now() >= this.#endsAt || this.#kills >= this.#wish.kills) break
      await this.#renew()
    }
    clearTimeout(timer)
    clearInterval(telling)
  }

  #draw(whose: string): Draw {
    return drawFrom(this.#wish.seed, whose)
  }

  /** As whoever runs the nodes would: after more than 8 crashes in the middle of sessions two nodes make no ECDSA in that epoch any more. */
  async #renew(): Promise<void> {
    for (const ward of this.#wards) {
      await this.#attempt(() => refresh(this.#fleet.client, ward))
      this.#refreshes++
    }
  }

  /** For whoever watches a run of half an hour. */
  #tell(): void {
    const set = `${this.#made.length} vaults made, ${this.#reshares} reshares, ${this.#refreshes} refreshes`
    console.error(`${this.#kills} kills, ${this.#completed} requests completed, ${set}`)
  }

  get #isOver(): boolean {
    return performance.now() >= this.#endsAt || this.#kills >= this.#roundEndsAt
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Until so many more requests have completed, or it is over. */
  async #progress(count: number): Promise<void> {
    const wanted = this.#completed + count
    while (!this.#isOver && this.#completed < wanted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake)
          resolve()
        }
        this.#waiting.add(wake)
      })
    }
  }

  /** Signs with one vault, by whatever group it has. */
  async #sign(place: number, first: number): Promise<void> {
    for (let index = first; !this.#isOver; index += AT_ONCE) {
      const ward = this.#wards[place]
      if (ward === undefined) throw new RangeError("no vault to sign with")
      const scheme = Math.floor(index / AT_ONCE) % 2 === 0 ? "eddsa" : "ecdsa"
      const beganAt = performance.now()
      const seconds = place === this.#wards.length - 1 ? MOVING_SECONDS : DEADLINE_SECONDS
      const answer = await signed(this.#fleet.client, ward.vault, index, { scheme, seconds })
      this.#answers.push({ ward, answer, ms: performance.now() - beganAt })
      this.#completed += Number(answer.status === "Completed")
      this.#wake()
    }
  }

  async #move(draw: Draw): Promise<void> {
    const { client, nodes } = this.#fleet
    for (await this.#progress(1); !this.#isOver; await this.#progress(1)) {
      const ward = this.#wards.at(-1)
      if (ward === undefined) return
      const to = shuffled(draw, nodes).slice(0, ward.nodes.length)
      const moved = await this.#attempt(() => dealAgain(client, ward, to))
      if (moved === undefined) return
      this.#wards[this.#wards.length - 1] = moved
      this.#reshares++
    }
  }

  async #make(draw: Draw): Promise<void> {
    const { client, nodes } = this.#fleet
    for (await this.#progress(1); !this.#isOver; await this.#progress(1)) {
      if (this.#made.length >= MOST_MADE) return
      const members = shuffled(draw, nodes).slice(0, between(draw, 2, nodes.length))
      const threshold = between(draw, 2, members.length)
      const made = await this.#attempt(async () =>
        makeKeys(client, await openVault(client, { nodes: members, threshold })),
      )
      if (made !== undefined) this.#made.push(made)
    }
  }

  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work()
    } catch (error) {
      this.#failures.push(error instanceof Error ? error.message : String(error))
      return undefined
    }
  }

  async #kill(name: string, draw: Draw): Promise<void> {
    const { starting, working } = momentsOf(name)
    while (!this.#isOver) {
      await this.#progress(name === "waas" ? BETWEEN_WAAS_KILLS : 1)
      const free = name === "waas" ? undefined : await this.#slots.take()
      let isDown = await this.#strike(name, oneOf(draw, working), draw)
      // Nothing is written while it is down, so that its database can be one of the format before.
      if (isDown && name !== "waas" && draw() < MIGRATIONS) await this.#migrate(name, draw)
      for (let again = between(draw, 0, 3); isDown && again > 0; again--) {
        this.#fleet.spawn(name)
        isDown = await this.#strike(name, oneOf(draw, starting), draw)
      }
      if (isDown) await this.#begin(name)
      free?.()
    }
  }

  /** False where the campaign was over before: then it lives on. */
  async #strike(name: string, moment: Moment, draw: Draw): Promise<boolean> {
    const isCome = moment.line === undefined || (await this.#fleet.hears(name, moment.line, MOMENT_MS))
    await Bun.sleep(draw() * moment.mostMs)
    if (this.#isOver) return false
    await this.#fleet.kill(name)
    this.#count(`${name === "waas" ? "WaaS" : "node"}: ${isCome ? moment.name : NO_MOMENT}`)
    return true
  }

  async #migrate(name: string, draw: Draw): Promise<void> {
    const wasKilled = await this.#fleet.killMigration(name, draw() * MIGRATION_MS)
    if (wasKilled) this.#count("node: its database is migrated")
  }

  #count(moment: string): void {
    this.#kills++
    this.#tally.set(moment, (this.#tally.get(moment) ?? 0) + 1)
    if (this.#isOver) this.#wake()
  }

  async #begin(name: string): Promise<void> {
    for (let failed = 0; ; failed++) {
      try {
        return await this.#fleet.begin(name)
      } catch (error) {
        const isHanging = isCode(error, "E-CLI-021")
        if (!(isHanging || isCode(error, "E-CLI-020")) || failed >= MOST_FAILED_STARTS) throw error
        this.#failedStarts++
        if (isHanging) await this.#fleet.kill(name)
        console.error(`${name} did not start: ${error.message}`)
      }
    }
  }

  /** What was lost, now that nobody dies any more. */
  async judge(): Promise<KillReport> {
    const { client } = this.#fleet
    const open = this.#answers.filter(({ answer }) => answer.status !== "Completed")
    const unfinished = open.filter(({ ward }) => !this.#hasMoved(ward))
    for (const { ward, answer } of unfinished)
      console.error(`${ward.name}: ${answer.id} ${answer.status} ${answer.reason}`)
    for (const failure of this.#failures) console.error(failure)
    const changed = await this.#changed()
    const vaults = [...this.#wards, ...this.#made]
    let [lame, lost] = [0, 0]
    for (const ward of vaults) {
      lame += await lameQuorums(client, ward, MOST_QUORUMS)
      lost += await lostShares(client, ward)
    }
    const found = unfinished.length + this.#failures.length + this.#failedStarts + changed + lame + lost
    return {
      isSound: found === 0,
      row: {
        campaign: "kill",
        kills: this.#kills,
        failed_starts: this.#failedStarts,
        requests: this.#answers.length,
        completed: this.#answers.length - open.length,
        overtaken_by_a_reshare: open.length - unfinished.length,
        changed_answers: changed,
        vaults: vaults.length,
        made_meanwhile: this.#made.length,
        reshares: this.#reshares,
        refreshes: this.#refreshes,
        failed_set_ups: this.#failures.length,
        nodes_that_lost_shares: lost,
        quorums_that_do_not_sign: lame,
        longest_s: Math.round(Math.max(0, ...this.#answers.map(({ ms }) => ms)) / 1000),
      },
      moments: [...this.#tally]
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([moment, count]) => ({ moment, kills: count })),
    }
  }

  #hasMoved({ vault: { vaultId, holderGroupId } }: Ward): boolean {
    return this.#wards.some(({ vault }) => vault.vaultId === vaultId && vault.holderGroupId !== holderGroupId)
  }

  async #changed(): Promise<number> {
    const byVault = Map.groupBy(this.#answers, ({ ward }) => ward.vault.vaultId)
    let changed = 0
    for (const [first, ...others] of byVault.values()) {
      if (first === undefined) continue
      const answers = [first, ...others].map(({ answer }) => answer)
      changed += await changedAnswers(this.#fleet, answers, first.ward)
    }
    return changed
  }
}

/** So many may be away at one time. */
class Slots {
  readonly #queue: (() => void)[] = []
  #free: number

  constructor(free: number) {
    this.#free = free
  }

  /** Resolves with what gives it back. */
  async take(): Promise<() => void> {
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#queue.push(resolve))
    return () => {
      const next = this.#queue.shift()
      if (next === undefined) this.#free++
      else next()
    }
  }
}
