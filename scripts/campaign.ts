/**
 * `npm run campaign -- NAME... --minutes N [--kills N] [--seed S]`: faults of one kind on the compiled binary under load, for so long
 * each; `all` is every kind but `replicas`: several WaaS on one Postgres (Debian's package), alone; it goes on until each of its faults was
 * there and 500 requests have ended. Prints the seed and a table. Exit 1 if a request did not complete, an answer changed, or nodes do not sign any more. Everything is on the loopback, and ends by itself.
 */
import { parseArgs } from "node:util"
import { drawFrom } from "./campaign/draw.ts"
import { CAMPAIGNS } from "./campaign/faults.ts"
import { Fleet } from "./campaign/fleet.ts"
import { kills } from "./campaign/kills.ts"
import { answerNow, type Signed, signed } from "./campaign/load.ts"
import { replicas } from "./campaign/replicas.ts"
import { lameQuorums, makeKeys, openVault, type Ward } from "./campaign/vaults.ts"
import { buildBinary } from "./toolchain.ts"

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "5" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    kills: { type: "string", default: String(Number.MAX_SAFE_INTEGER) },
    nodes: { type: "string", default: "5" },
  },
})
const ALL = ["kill", ...Object.keys(CAMPAIGNS)]
const names = positionals.includes("all") ? ALL : positionals
const minutes = Number(values.minutes)
const seed = Number(values.seed)
const wish = { minutes, seed, kills: Number(values.kills), nodes: Number(values.nodes) }
const isSane = minutes > 0 && minutes <= 1_440 && seed >= 0 && wish.kills > 0 && wish.nodes >= 3 && wish.nodes <= 8
if (names.length === 0 || names.some((name) => ![...ALL, "replicas"].includes(name)) || !isSane) {
  const usage = `${[...ALL, "all", "replicas"].join("|")} --minutes N [--seed S]`
  console.error(`npm run campaign -- ${usage}\nof kill also: [--kills N], whichever is over first, and [--nodes 3..8]`)
  process.exit(2)
}

await buildBinary()
console.log(`seed ${seed}`)
let isSound = true
if (names.includes("replicas")) {
  const found = await replicas(minutes, drawFrom(seed))
  console.table(found.rows)
  console.table([found.row])
  isSound &&= found.isSound
}
if (names.includes("kill")) {
  const found = await kills(wish)
  console.table(found.moments)
  console.table([found.row])
  isSound &&= found.isSound
}
const others = names.filter((name) => CAMPAIGNS[name] !== undefined)
if (others.length > 0) await onOneFleet()
process.exit(isSound ? 0 : 1)

async function onOneFleet(): Promise<void> {
  const fleet = await Fleet.start({ nodes: 3, level: "info" })
  try {
    const opened = await openVault(fleet.client, { nodes: fleet.nodes, threshold: 2 })
    await Promise.all(fleet.nodes.map(({ name }) => fleet.begin(name)))
    const ward = await makeKeys(fleet.client, opened)
    const rows = []
    for (const name of others) rows.push(await run(name, fleet, ward))
    console.table(rows)
  } finally {
    await fleet[Symbol.asyncDispose]()
  }
}

async function run(name: string, fleet: Fleet, ward: Ward): Promise<Readonly<Record<string, string | number>>> {
  const campaign = CAMPAIGNS[name]
  if (campaign === undefined) throw new RangeError("it was looked up")
  const missing = campaign.missing?.()
  if (missing !== undefined) return { campaign: name, what: `left out: ${missing}` }
  const draw = drawFrom(seed)
  const back = await campaign.prepare?.(fleet)
  const end = performance.now() + minutes * 60_000
  const isOver = (): boolean => performance.now() >= end
  const all: Signed[] = []
  const worker = async (first: number): Promise<void> => {
    for (let index = first; !isOver(); index += campaign.atOnce) {
      const scheme = index % 2 === 0 ? "eddsa" : "ecdsa"
      all.push(await signed(fleet.client, ward.vault, index, { scheme }))
    }
  }
  let faults = 0
  const faulting = (async () => {
    while (!isOver()) faults += await campaign.fault(fleet, draw)
  })()
  await Promise.all([...Array.from({ length: campaign.atOnce }, (_, index) => worker(index)), faulting])
  await back?.()
  const unfinished = all.filter(({ status }) => status !== "Completed")
  for (const { id, status, reason } of unfinished) console.error(`${name}: ${id} ${status} ${reason}`)
  const changed = await changedAnswers(fleet, all, ward)
  const lame = await lameQuorums(fleet.client, ward, 3)
  if (unfinished.length + changed + lame > 0) isSound = false
  return {
    campaign: name,
    what: campaign.what,
    faults,
    requests: all.length,
    completed: all.length - unfinished.length,
    changed_answers: changed,
    quorums_that_do_not_sign: lame,
  }
}

async function changedAnswers({ client }: Fleet, before: readonly Signed[], { vault }: Ward): Promise<number> {
  let changed = 0
  for (const one of before) {
    if (one.id === "") continue
    const now = await answerNow(client, vault, one.id)
    if (now.status !== one.status || now.signatures !== one.signatures) changed++
  }
  return changed
}
