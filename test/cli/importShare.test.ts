/** `import-share` on the databases of two nodes: what each gets, says and refuses, and what WaaS makes of their records. */
import { afterAll, describe, expect, test } from "bun:test"
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { toHex } from "../../src/bytes.ts"
import { rootExtendedPublicKey } from "../../src/keys/group.ts"
import { importedHolders } from "../../src/waas/api/importedGroup.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { foreignGroup } from "../support/foreignRecovery.ts"
import { Home, partyNo } from "../support/nodeHome.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { Rig } from "../support/waas.ts"
import { cli, type Outcome } from "./world.ts"

const folder = temporaryFolder("import").path
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string) => join(folder, name)
const written = (name: string, text: string) => {
  writeFileSync(at(name), text, { mode: 0o600 })
  return at(name)
}

const FILE_PASSWORD = "password of the old program"
const passwordFile = written("file.password", FILE_PASSWORD)
const groups = {
  k1: foreignGroup({ curve: "secp256k1", threshold: 2, size: 3 }),
  ed: foreignGroup({ curve: "ed25519", threshold: 2, size: 3, shareIds: [7n, 2n ** 200n, 9n] }),
}
const nodes = [0, 1].map((n) => nodeIdOf(partyNo(n)))
const dealersOf = ({ nodeIds, shareIds }: typeof groups.k1) => `${nodeIds[0]}=${nodes[0]},${shareIds[2]}=${nodes[1]}`
const PARTICIPANT = [0, 2]

let counter = 0
const run = async (
  home: Home,
  n: number,
  of: keyof typeof groups,
  more: readonly string[] = [],
  given: { readonly dealers?: string; readonly password?: string } = {},
): Promise<Outcome & { readonly record: string }> => {
  const file = written(`recovery-${++counter}`, groups[of].file(PARTICIPANT[n] ?? 0, FILE_PASSWORD))
  const record = at(`record-${counter}.json`)
  const { dealers = dealersOf(groups[of]), password = passwordFile } = given
  const words = ["import-share", file, "--dealers", dealers, "--file-password-file", password, "--record", record]
  return { ...(await on(home, ...words, ...more)), record }
}
const on = (home: Home, ...words: readonly string[]): Promise<Outcome> =>
  cli([...words, "--db", home.db, "--key-file", home.keyFile])
const codeIn = ({ stderr }: Outcome) => /E-[A-Z]{3}-\d{3}/.exec(stderr)?.[0] ?? "none"

function homes(): readonly [Home, Home] {
  const both = [new Home(0), new Home(1)] as const
  for (const home of both) home.create(0)[Symbol.dispose]()
  return both
}

describe("two dealers of a 2-of-3 group", () => {
  test("each has its scaled share under the file's root key, says what must be destroyed, and writes the same record", async () => {
    const [a, b] = homes()
    using _a = a
    using _b = b
    for (const of of ["k1", "ed"] as const) {
      const foreign = groups[of]
      const made = [await run(a, 0, of, ["--root", foreign.extendedKey]), await run(b, 1, of)]
      for (const { exit, stdout, stderr } of made) {
        expect({ exit, stderr }).toEqual({ exit: 0, stderr: "" })
        expect(stdout).toContain(foreign.extendedKey)
        for (const [i, nodeId] of foreign.nodeIds.entries())
          expect(stdout).toContain(`participant ${nodeId}, share ${foreign.shareIds[i]}`)
        for (const share of foreign.shares) expect(stdout).not.toContain(share.toString(16))
      }
      const records = made.map(({ record }) => JSON.parse(readFileSync(record, "utf8")))
      expect(records[0].group).toBe(records[1].group)
      expect(records.map(({ node_id }) => node_id)).toEqual([...nodes])
      // Killed after its commit: the same command writes the record again, and no second import.
      expect(JSON.parse(readFileSync((await run(a, 0, of)).record, "utf8"))).toEqual(records[0])
    }
    {
      using store = a.open()
      const list = store.groups.list()
      expect(list.length).toBe(2)
      for (const group of list) {
        expect(group).toMatchObject({ mode: "import", status: "ACTIVE", threshold: 2 })
        expect(rootExtendedPublicKey(group)).toBe(groups[group.curve === "secp256k1" ? "k1" : "ed"].extendedKey)
        expect(store.bans.awaitsRefresh(group.groupId, group.epochId)).toBe(group.curve === "secp256k1")
      }
    }
    const shown = await on(a, "info", "group", "--json")
    expect(JSON.parse(shown.stdout).map(({ imported }: { imported: string }) => imported)).toEqual([
      "unconfirmed",
      "unconfirmed",
    ])
    expect((await on(a, "info", "group")).stdout).toContain("Imported: its old shares are alive")
    expect((await on(a, "import-share", "--confirm-destroyed", "OoQGkknsPdPjLCmSuuSf")).exit).toBe(0)
    const after = JSON.parse((await on(a, "info", "group", "--json")).stdout)
    expect(after.map(({ imported }: { imported: string }) => imported).sort()).toEqual(["confirmed", "unconfirmed"])
    expect(codeIn(await on(a, "import-share", "--confirm-destroyed", "NoNoNoNoNoNoNoNoNoNo"))).toBe("E-KEY-039")
  })

  test("an imported share is in backups, and is the share that was imported after a restore", async () => {
    const [a, b] = homes()
    using _a = a
    using _b = b
    for (const of of ["k1", "ed"] as const) expect((await run(a, 0, of)).exit).toBe(0)
    const out = a.file("backup.cosigner")
    expect((await on(a, "backup", "create", "--password-file", a.backupKey, "--out", out)).exit).toBe(0)
    const db = a.file("restored/secrets.db")
    const restore = ["backup", "restore", out, "--password-file", a.backupKey, "--db", db, "--key-file", a.keyFile]
    const restored = await cli(restore)
    expect({ exit: restored.exit, stderr: restored.stderr }).toEqual({ exit: 0, stderr: "" })
    using before = a.open()
    using after = a.open(false, db)
    for (const { groupId, epochId } of before.groups.list()) {
      expect(after.groups.get(groupId, epochId)).toEqual(before.groups.get(groupId, epochId))
      expect(after.groups.open(groupId, epochId).share.equals(before.groups.open(groupId, epochId).share)).toBe(true)
    }
  })

  test("what does not fit is refused, before anything is written", async () => {
    const [a, b] = homes()
    using _a = a
    using _b = b
    const other = written("other.password", "another password")
    const mixed = `${groups.k1.nodeIds[0]}=${nodes[1]},${groups.k1.shareIds[2]}=${nodes[0]}`
    const cases: readonly (readonly [string, Promise<Outcome>])[] = [
      ["E-KEY-036", run(a, 0, "k1", ["--root", groups.ed.extendedKey])],
      ["E-KEY-015", run(a, 0, "k1", [], { password: other })],
      ["E-KEY-039", run(a, 1, "k1")],
      ["E-KEY-039", run(a, 0, "k1", [], { dealers: mixed })],
      ["E-KEY-037", run(a, 0, "k1", [], { dealers: `${groups.k1.nodeIds[0]}=${nodes[0]}` })],
      ["E-CLI-002", run(a, 0, "k1", [], { dealers: `${groups.ed.nodeIds[0]}x=${nodes[0]}` })],
      ["E-KEY-017", run(a, 0, "k1", ["--group-id", "NoNoNoNoNoNoNoNoNoNo"])],
    ]
    for (const [code, outcome] of cases) {
      const result = await outcome
      expect(codeIn(result)).toBe(code)
      expect(result.exit).not.toBe(0)
    }
    const costly = foreignGroup({ curve: "secp256k1", threshold: 2, size: 3 })
    const dear = costly.file(0, FILE_PASSWORD).replace('"iterations":2000', '"iterations":100000000')
    const dealers = `${costly.nodeIds[0]}=${nodes[0]},${costly.nodeIds[1]}=${nodes[1]}`
    const begun = performance.now()
    expect(
      codeIn(
        await on(a, "import-share", written("dear", dear), "--dealers", dealers, "--file-password-file", passwordFile),
      ),
    ).toBe("E-KEY-012")
    expect(performance.now() - begun).toBeLessThan(20_000)
    using store = a.open()
    expect(store.groups.list()).toEqual([])
    expect(existsSync(at("import-OoQGkknsPdPjLCmSuuSf"))).toBe(false)
  })

  test("a group that the node has anything of is not imported over it", async () => {
    const [a, b] = homes()
    using _a = a
    using _b = b
    expect((await run(a, 0, "k1")).exit).toBe(0)
    // The same file, with other dealers.
    const others = `${groups.k1.nodeIds[0]}=${nodes[0]},${groups.k1.nodeIds[1]}=${nodes[1]}`
    expect(codeIn(await run(a, 0, "k1", [], { dealers: others }))).toBe("E-KEY-039")
  })
})

test("WaaS takes the group from the records of all its nodes, once, with both curves; from nothing less", async () => {
  const [a, b] = homes()
  using _a = a
  using _b = b
  const records = []
  for (const of of ["k1", "ed"] as const) {
    for (const [n, home] of [a, b].entries())
      records.push(JSON.parse(readFileSync((await run(home, n, of)).record, "utf8")))
  }
  await using rig = await Rig.open()
  const vault = await rig.vault()
  const [one] = records
  for (const bad of [
    records.slice(0, 3),
    records.slice(1),
    [one, one],
    [records[0], records[3]],
    [{ ...one, signature: "00".repeat(64) }, records[1]],
  ]) {
    expect(() => importedHolders(vault.vaultId, bad, 1)).toThrow(/records/)
  }
  const group = await rig.engine.importGroup(importedHolders(vault.vaultId, records, 1))
  expect(group).toMatchObject({ type: "MainGroup", status: "Valid", threshold: 2 })
  expect(group.holders.map(({ nodeId }) => nodeId).sort()).toEqual([...nodes].sort())
  const roots = (await rig.mustVault(vault.vaultId)).rootKeys
  expect(roots.map(({ rootPubkey }) => rootPubkey)).toEqual([groups.k1.extendedKey, groups.ed.extendedKey])
  for (const node of nodes) expect(rig.engine.isKnownNode(node)).toBe(true)
  await expect(rig.engine.importGroup(importedHolders(vault.vaultId, records, 1))).rejects.toThrow(/main group/)
  expect(toHex(Buffer.from(roots[0]?.rootPubkey ?? ""))).not.toBe("")
})
