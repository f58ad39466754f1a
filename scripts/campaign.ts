/**
 * `npm run campaign -- NAME... --minutes N [--kills N] [--seed S]`: faults of one kind on the compiled binary under load, for so long
 * each; `all` is every kind but `replicas`: several WaaS on one Postgres (Debian's package), alone; it goes on until each of its faults was
 * there and 500 requests have ended. Prints the seed and a table. Exit 1 if a request did not complete, an answer changed, or nodes do not sign any more. Everything is on the loopback, and ends by itself.
 */
import { parseArgs } from "node:util"
import { backlog, TOO_MANY } from "./campaign/backlog.ts"
import { drawFrom } from "./campaign/draw.ts"
import { CAMPAIGNS } from "./campaign/faults.ts"
import { Fleet, type FleetOptions } from "./campaign/fleet.ts"
import { kills } from "./campaign/kills.ts"
import { STALE_LOOPS_MS, watchLoops } from "./campaign/loops.ts"
import { judged, played } from "./campaign/play.ts"
import { replicas } from "./campaign/replicas.ts"
import { makeKeys, openVault, type Ward } from "./campaign/vaults.ts"
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
const ALL = ["kill", ...Object.keys(CAMPAIGNS), "backlog"]
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
// What is written at level trace makes a backlog another load; a short one shows no figures.
const hasBacklog = names.includes("backlog")
const isApart = minutes >= 1 && hasBacklog
if ((hasBacklog && !isApart) || names.some((name) => CAMPAIGNS[name] !== undefined)) {
  await withFleet({ level: "trace" }, async (fleet, ward) => {
    await playAll(fleet, ward)
    if (hasBacklog && !isApart) await playBacklog(fleet, ward)
  })
}
if (isApart) await withFleet({ level: "info", hasPages: true }, playBacklog)
process.exit(isSound ? 0 : 1)

/** One WaaS, three nodes and a vault that any two of them sign for. */
async function withFleet(
  options: Pick<FleetOptions, "level" | "hasPages">,
  play: (fleet: Fleet, ward: Ward) => Promise<void>,
): Promise<void> {
  const fleet = await Fleet.start({ nodes: 3, ...options })
  try {
    const opened = await openVault(fleet.client, { nodes: fleet.nodes, threshold: 2 })
    await Promise.all(fleet.nodes.map(({ name }) => fleet.begin(name)))
    await play(fleet, await makeKeys(fleet.client, opened))
  } finally {
    await fleet[Symbol.asyncDispose]()
  }
}

async function playAll(fleet: Fleet, ward: Ward): Promise<void> {
  const rows = []
  for (const [name, campaign] of Object.entries(CAMPAIGNS)) {
    if (!names.includes(name)) continue
    const found = await played(name, campaign, { fleet, ward, minutes, draw: drawFrom(seed, name) })
    if (found.faults.length > 0) console.table(found.faults)
    rows.push(found.row)
    isSound &&= found.isSound
  }
  if (rows.length > 0) console.table(rows)
}

async function playBacklog(fleet: Fleet, ward: Ward): Promise<void> {
  if (isApart) await Bun.sleep(STALE_LOOPS_MS)
  const worst = isApart ? watchLoops(fleet) : async () => ({})
  const all = await backlog(fleet.client, ward, minutes)
  const loops = await worst()
  const taken = all.filter(({ status }) => status !== TOO_MANY)
  const found = await judged("backlog", taken, fleet, ward)
  console.table([
    { campaign: "backlog", asked: all.length, told_429: all.length - taken.length, ...found.row, ...loops },
  ])
  isSound &&= found.isSound
}
