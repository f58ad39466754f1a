/**
 * `npm run campaign -- NAME... --minutes N [--seed S]`: faults of one kind on the compiled binary under load, for so long each; `all` is
 * every kind but `replicas`: several WaaS on one Postgres (Debian's package), alone; it goes on until each of its faults was there and 500
 * requests have ended. Prints the seed and a table. Exit 1 if a request did not complete, an answer changed, or a pair of nodes does
 * not sign any more. Everything is on the loopback, and ends by itself.
 */
import { parseArgs } from "node:util"
import type { DemoVault } from "../src/kit/demo/keys.ts"
import { CAMPAIGNS, type Draw } from "./campaign/faults.ts"
import { Fleet } from "./campaign/fleet.ts"
import { answerNow, pairsThatDoNotSign, type Signed, signed } from "./campaign/load.ts"
import { replicas } from "./campaign/replicas.ts"
import { buildBinary } from "./toolchain.ts"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
})
const names = positionals.includes("all") ? Object.keys(CAMPAIGNS) : positionals
const minutes = Number(values.minutes)
if (names.join() === "replicas" && minutes > 0 && minutes <= 1_440) {
  await buildBinary()
  console.log(`seed ${values.seed}`)
  const found = await replicas(minutes, drawFrom(Number(values.seed)))
  console.table(found.rows)
  console.table([found.row])
  process.exit(found.isSound ? 0 : 1)
}
if (names.length === 0 || names.some((name) => CAMPAIGNS[name] === undefined) || !(minutes > 0 && minutes <= 1_440)) {
  console.error(
    `npm run campaign -- ${[...Object.keys(CAMPAIGNS), "all", "replicas"].join("|")} --minutes N [--seed S]`,
  )
  process.exit(2)
}

await buildBinary()
console.log(`seed ${values.seed}`)
const { fleet, vault } = await Fleet.start()
let isSound = true
try {
  const rows = []
  for (const name of names) rows.push(await run(name))
  console.table(rows)
} finally {
  await fleet[Symbol.asyncDispose]()
}
process.exit(isSound ? 0 : 1)

async function run(name: string): Promise<Readonly<Record<string, string | number>>> {
  const campaign = CAMPAIGNS[name]
  if (campaign === undefined) throw new RangeError("it was looked up")
  const missing = campaign.missing?.()
  if (missing !== undefined) return { campaign: name, what: `left out: ${missing}` }
  const draw = drawFrom(Number(values.seed))
  const back = await campaign.prepare?.(fleet)
  const end = performance.now() + minutes * 60_000
  const isOver = (): boolean => performance.now() >= end
  const all: Signed[] = []
  const worker = async (first: number): Promise<void> => {
    for (let index = first; !isOver(); index += campaign.atOnce) all.push(await signed(fleet.client, vault, index))
  }
  let faults = 0
  const faulting = (async () => {
    while (!isOver()) faults += await campaign.fault(fleet, draw)
  })()
  await Promise.all([...Array.from({ length: campaign.atOnce }, (_, index) => worker(index)), faulting])
  await back?.()
  const unfinished = all.filter(({ status }) => status !== "Completed")
  for (const { id, status, reason } of unfinished) console.error(`${name}: ${id} ${status} ${reason}`)
  const changed = await changedAnswers(all, vault)
  const lame = await pairsThatDoNotSign(fleet.client, vault, fleet.nodes)
  if (unfinished.length + changed + lame > 0) isSound = false
  return {
    campaign: name,
    what: campaign.what,
    faults,
    requests: all.length,
    completed: all.length - unfinished.length,
    changed_answers: changed,
    pairs_that_do_not_sign: lame,
  }
}

async function changedAnswers(before: readonly Signed[], of: DemoVault): Promise<number> {
  let changed = 0
  for (const one of before) {
    const now = await answerNow(fleet.client, of, one.id)
    if (now.status !== one.status || now.signatures !== one.signatures) changed++
  }
  return changed
}

/** Mulberry32: the same faults for the same seed, as far as processes keep the pace. */
function drawFrom(seed: number): Draw {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
