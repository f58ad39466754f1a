/** One campaign on one fleet: faults one after another, signing requests and, where it wants them, set-ups under way; and what was found. */
import type { Draw } from "./draw.ts"
import type { Campaign } from "./faults.ts"
import type { Fleet } from "./fleet.ts"
import { answerNow, isChanged, type Signed, signed } from "./load.ts"
import { type Row, type Suffered, sufferedRows, type Timed, timed } from "./suffered.ts"
import { dealAgain, lameQuorums, lostShares, makeKeys, openVault, type Ward } from "./vaults.ts"

interface Played {
  readonly isSound: boolean
  readonly row: Row
  /** Of each fault: how often it was played, and what became of the requests that met it. */
  readonly faults: readonly Row[]
}

interface Stage {
  readonly fleet: Fleet
  readonly ward: Ward
  readonly minutes: number
  readonly draw: Draw
}

/** Quorums of one vault that have to sign afterwards, with both algorithms. */
const MOST_QUORUMS = 3
const READERS = 8
const byName = (a: string, b: string): number => a.localeCompare(b)

export async function played(name: string, campaign: Campaign, stage: Stage): Promise<Played> {
  const missing = campaign.missing?.()
  if (missing !== undefined) return { isSound: true, row: { campaign: name, what: `left out: ${missing}` }, faults: [] }
  const { fleet, ward, minutes, draw } = stage
  const back = await campaign.prepare?.(fleet)
  const end = performance.now() + minutes * 60_000
  const faults: Suffered[] = []
  const isOver = (): boolean => performance.now() >= end && faults.length >= (campaign.leastFaults ?? 0)
  const all: Timed[] = []
  const worker = async (first: number): Promise<void> => {
    for (let index = first; !isOver(); index += campaign.atOnce) {
      const scheme = index % 2 === 0 ? "eddsa" : "ecdsa"
      all.push(await timed(() => signed(fleet.client, ward.vault, index, { scheme })))
    }
  }
  const faulting = async (): Promise<void> => {
    while (!isOver()) {
      const from = performance.now()
      const name = await campaign.fault(fleet, draw, end - from)
      if (name !== undefined) faults.push({ name, from, to: performance.now() })
    }
  }
  const setUps = campaign.hasSetUps ? settingUp(fleet, isOver) : Promise.resolve(NO_SET_UPS)
  const workers = Array.from({ length: campaign.atOnce }, (_, index) => worker(index))
  const [made] = await Promise.all([setUps, ...workers, faulting()])
  await back?.()
  const found = await judged(name, all, fleet, ward)
  const later = made.last === undefined ? 0 : await shortOf(fleet, made.last)
  for (const failure of made.failures) console.error(`${name}: ${failure}`)
  return {
    isSound: found.isSound && later + made.failures.length === 0,
    row: {
      campaign: name,
      what: campaign.what,
      faults: faults.length,
      ...found.row,
      ...(campaign.hasSetUps && { set_ups: made.count, failed_set_ups: made.failures.length, lost_in_set_ups: later }),
    },
    faults: sufferedRows([...new Set(faults.map((fault) => fault.name))].sort(byName), faults, all),
  }
}

/** What became of requests, now that no fault is played any more. */
export async function judged(name: string, all: readonly Signed[], fleet: Fleet, ward: Ward) {
  const unfinished = all.filter(({ status }) => status !== "Completed")
  for (const { id, status, reason } of unfinished) console.error(`${name}: ${id} ${status} ${reason}`)
  const changed = await changedAnswers(fleet, all, ward)
  const lame = await lameQuorums(fleet.client, ward, MOST_QUORUMS)
  return {
    isSound: unfinished.length + changed + lame === 0,
    row: {
      requests: all.length,
      completed: all.length - unfinished.length,
      changed_answers: changed,
      quorums_that_do_not_sign: lame,
    },
  }
}

/** Counts the answers that are not told again as they were (`isChanged`). */
export async function changedAnswers({ client }: Fleet, before: readonly Signed[], { vault }: Ward): Promise<number> {
  const asked = before.filter(({ id }) => id !== "")
  let changed = 0
  const reader = async (first: number): Promise<void> => {
    for (let index = first; index < asked.length; index += READERS) {
      const one = asked[index]
      if (one === undefined) return
      const now = await answerNow(client, vault, one.id)
      changed += Number(isChanged(one, now))
    }
  }
  await Promise.all(Array.from({ length: READERS }, (_, first) => reader(first)))
  return changed
}

interface SetUps {
  readonly count: number
  readonly last: Ward | undefined
  readonly failures: readonly string[]
}

const NO_SET_UPS: SetUps = { count: 0, last: undefined, failures: [] }
/** Each is a vault that stays. */
const MOST_MADE = 20

/** A vault is made, its keys are dealt again, and so on. */
async function settingUp({ client, nodes }: Fleet, isOver: () => boolean): Promise<SetUps> {
  let count = 0
  let last: Ward | undefined
  const failures: string[] = []
  while (!isOver() && count < MOST_MADE && failures.length === 0) {
    try {
      last = await makeKeys(client, await openVault(client, { nodes, threshold: 2 }))
      count++
      last = await dealAgain(client, last, nodes)
      count++
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
    }
  }
  return { count, last, failures }
}

const shortOf = async ({ client }: Fleet, ward: Ward): Promise<number> =>
  (await lameQuorums(client, ward, MOST_QUORUMS)) + (await lostShares(client, ward))
