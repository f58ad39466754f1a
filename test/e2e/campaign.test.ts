/** Every campaign for some seconds: that each runs, finds nothing, and ends by itself. The long ones are `npm run campaign`. */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { root } from "../support/binary.ts"
import { whyNoPostgres } from "../support/postgres.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const SHORT = ["kill", "stop", "backlog"]
/** These take up to a minute to be over each, and run in the long suite. */
const MORE = ["restart", "sick", "disk", "link", "clock", "callback"]
const NAMES = LONG ? ["all"] : SHORT
/** Each of them is played, however short the campaign. */
const SICK_FORMS = ["away", "hanging", "full", "restarting every 15 s"]

test("faults of every kind under load: each request completes, no answer changes, every pair signs", async () => {
  const child = Bun.spawn(
    [
      process.execPath,
      join(root, "scripts", "campaign.ts"),
      ...NAMES,
      "--minutes",
      "0.05",
      "--seed",
      "7",
      "--nodes",
      "3",
    ],
    { cwd: root, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  )
  const [stdout, stderr, exit] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
  expect({ exit, stderr: exit === 0 ? "" : stderr }).toEqual({ exit: 0, stderr: "" })
  expect(stdout).toContain("seed 7")
  for (const name of LONG ? [...SHORT, ...MORE] : SHORT) expect(stdout).toContain(` ${name} `)
  for (const form of LONG ? SICK_FORMS : []) expect(stdout).toMatch(new RegExp(`│ ${form} +│`))
}, 600_000)

if (whyNoPostgres !== undefined) console.log(`no campaign on a shared store: ${whyNoPostgres}`)

test.skipIf(whyNoPostgres !== undefined)(
  "several WaaS on one Postgres: each request ends once, soon after any fault",
  async () => {
    const child = Bun.spawn(
      [process.execPath, join(root, "scripts", "campaign.ts"), "replicas", "--minutes", "0.1", "--seed", "7"],
      { cwd: root, stdin: "ignore", stdout: "pipe", stderr: "pipe" },
    )
    const [stdout, stderr, exit] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited])
    expect({ exit, stderr: exit === 0 ? "" : stderr + stdout }).toEqual({ exit: 0, stderr: "" })
    expect(stdout).toContain(" kill -9 of waas3 ")
  },
  600_000,
)
