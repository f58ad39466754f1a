/** `info` without a password: from the summary beside the database, which proves itself, and whose damage costs nothing else. */
import { expect, test } from "bun:test"
import { generateKeyPairSync } from "node:crypto"
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { keepSummary, summaryPath } from "../../../src/ops/inventory/summary.ts"
import { cli } from "../../cli/world.ts"
import { flags, Home } from "../../support/nodeHome.ts"

const rsaKey = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "der", type: "pkcs8" })

test("shows what the database shows, and says where it is from", async () => {
  using home = new Home()
  {
    using store = home.create(0, rsaKey)
    keepSummary(store, expect.unreachable)
  }
  const open = await cli(["info", "--db", home.db, "--json"])
  expect([open.exit, open.stderr]).toEqual([0, expect.stringContaining("signed summary")])
  const sealed = await cli(["info", ...flags(home)])
  expect([sealed.stderr, sealed.stdout]).toEqual(["", open.stdout])
})

test("a summary that is damaged, or signed by nobody, is none: the password is asked for, and the node works", async () => {
  using home = new Home()
  {
    using store = home.create(0, rsaKey)
    keepSummary(store, expect.unreachable)
  }
  const path = summaryPath(home.db)
  const good = readFileSync(path, "utf8")
  const { callback_public_key: pem } = JSON.parse(good)
  using other = new Home(1)
  {
    using store = other.create(0, rsaKey)
    keepSummary(store, expect.unreachable)
  }
  const stranger = JSON.parse(readFileSync(summaryPath(other.db), "utf8"))
  for (const bad of [
    "",
    "{}",
    "null",
    good.slice(0, -1),
    ` ${good}`,
    good.replace('"version":1', '"version":2'),
    good.replace(pem.slice(40, 60).replaceAll("\n", "\\n"), "AAAAAAAAAAAAAAAAAAAA"),
    JSON.stringify({ ...JSON.parse(good), node_id: stranger.node_id }),
    JSON.stringify({ ...JSON.parse(good), signature: "00".repeat(64) }),
    "x".repeat(9000),
  ]) {
    writeFileSync(path, bad)
    const { exit, stderr } = await cli(["info", "--db", home.db])
    expect({ bad, exit, asked: stderr.includes("E-CLI-004") }).toEqual({ bad, exit: 3, asked: true })
    expect((await cli(["info", ...flags(home)])).exit).toBe(0)
  }
  rmSync(path)
  expect((await cli(["info", "--db", home.db])).stderr).toContain("E-CLI-004")
  // what it cannot do: tell whose database it stands beside
  copyFileSync(summaryPath(other.db), path)
  expect((await cli(["info", "--db", home.db])).stdout).toContain(stranger.node_id)
})
