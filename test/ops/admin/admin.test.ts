/** Commands beside a running node: what the admin socket does, for whom, and what it refuses. */
import { describe, expect, spyOn, test } from "bun:test"
import { chmodSync, chownSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { dirname } from "node:path"
import { toHex, utf8 } from "../../../src/bytes.ts"
import { sha256 } from "../../../src/crypto/frame.ts"
import { CosignerError } from "../../../src/errors.ts"
import { verifyCheckup } from "../../../src/keys/checkupSign.ts"
import { memberOf } from "../../../src/keys/group.ts"
import { identityOf } from "../../../src/mpc/envelope.ts"
import { PasswordGate } from "../../../src/ops/admin/passwordGate.ts"
import { isUserOrRoot } from "../../../src/ops/admin/place.ts"
import { decodeRequest } from "../../../src/ops/admin/protocol.ts"
import { Secret } from "../../../src/secret.ts"
import { openStore, type Store } from "../../../src/store/store.ts"
import { nodeIdOf } from "../../../src/wire/nodeId.ts"
import { cli, type Outcome } from "../../cli/world.ts"
import { Home, ID, OTHER, PASSWORD, partyNo, secret } from "../../support/nodeHome.ts"
import { documentOf, frame, type Running, raw, rsaKey, running } from "./rig.ts"

const on = (node: Running, ...words: readonly string[]): Promise<Outcome> => cli([...words, "--db", node.home.db])
const withPassword = (node: Running, ...words: readonly string[]): Promise<Outcome> =>
  on(node, ...words, "--key-file", node.home.keyFile)
const codeIn = ({ stderr }: Outcome): string | undefined => /E-[A-Z]{3}-\d{3}/.exec(stderr)?.[0]
const STRANGER = 65_534
const cheat = identityOf(sha256(utf8("cheat"))).party
const strike = {
  peer: cheat,
  kind: "FAULT",
  reason: "bad proof",
  sid: sha256(utf8("sid")),
  taskId: "t",
  atMs: 1_795_340_000_000,
  evidence: [],
} as const

describe("without a password", () => {
  test("a node shows what its file shows to whoever has the password", async () => {
    await using node = await running({ prepare: (store) => store.strikes.add([strike, strike]) })
    expect((await withPassword(node, "share-sign", "--group-id", ID(0), "--message", "hello")).exit).toBe(0)
    const [task] = node.store.tasks.list({ limit: 1 })
    for (const words of [
      ["info"],
      ["info", "group"],
      ["info", "group", ID(0)],
      ["info", "task"],
      ["info", "task", task?.taskId ?? ""],
      ["event", "list"],
      ["strikes"],
    ]) {
      for (const json of [[], ["--json"]]) {
        const beside = await on(node, ...words, ...json)
        expect({ words, exit: beside.exit, stderr: beside.stderr }).toEqual({ words, exit: 0, stderr: "" })
        renameSync(node.socket, `${node.socket}.aside`)
        expect(beside).toEqual(await withPassword(node, ...words, ...json))
        renameSync(`${node.socket}.aside`, node.socket)
      }
    }
  })
  test("an unknown group or task fails as it does on the file", async () => {
    await using node = await running()
    expect(codeIn(await on(node, "info", "group", ID(7)))).toBe("E-CLI-011")
    expect((await on(node, "info", "task", "nowhere")).stderr).toContain("there is no such task here")
  })
  test("nothing that changes or takes out", async () => {
    await using node = await running({ prepare: (store) => store.strikes.add([strike]) })
    const before = readFileSync(node.home.db)
    for (const document of [
      `{"command":"share-sign","group_id":"${ID(0)}","message":"hello"}`,
      `{"command":"strikes pardon","node_id":"${nodeIdOf(cheat)}"}`,
      '{"command":"change-password"}',
      '{"command":"export-share","group_ids":[]}',
      '{"command":"backup","group_ids":[]}',
    ]) {
      expect(documentOf(await raw(node.socket, frame(document)))).toMatchObject({ done: false, code: "E-STO-004" })
    }
    expect(readFileSync(node.home.db).equals(before)).toBe(true)
  })
})

/** Of RFC 8032, test 1. */
const WAAS_KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

describe("the brake", () => {
  test("freezes at once without a password, durably, and the log names who did it", async () => {
    await using node = await running()
    const out = await on(node, "freeze", "--reason", "drill", "--json")
    expect([out.exit, JSON.parse(out.stdout)]).toMatchObject([0, { group_id: null, until_ms: null, reason: "drill" }])
    expect(node.store.freezes.over([])?.by).toBe("host")
    expect(node.lines.map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
      'warn frozen {"scope":"the',
      "info admin command",
    ])
    expect(node.lines[1]).toContain(`"command":"freeze","outcome":"done","pid":${process.pid}`)
    using copy = openStore(node.home.db, secret(PASSWORD), { readOnly: true })
    expect(copy.freezes.list()).toHaveLength(1)
    // and what the node signs by itself it does not sign
    expect(codeIn(await withPassword(node, "share-sign", "--group-id", ID(0), "--message", "hello"))).toBe("E-BAK-023")
    expect(node.store.tasks.list({ limit: 1 })).toHaveLength(0)
  })
  test("however much else is asked, and for a group that is here", async () => {
    await using node = await running()
    for (let n = 0; n < 40; n++) await raw(node.socket, frame('{"command":"info"}'))
    expect(documentOf(await raw(node.socket, frame('{"command":"info"}')))).toMatchObject({ code: "E-ADM-005" })
    const frozen = await on(node, "freeze", "--group", ID(0), "--for", "2h")
    expect([frozen.exit, frozen.stdout]).toEqual([0, expect.stringContaining(`Frozen: group ${ID(0)}, since `)])
    expect(codeIn(await on(node, "freeze", "--group", ID(7)))).toBe("E-CLI-011")
    expect(codeIn(await on(node, "freeze", "--for", "soon"))).toBe("E-CLI-002")
    expect(node.store.freezes.list().map(({ groupId }) => groupId)).toEqual([ID(0)])
  })
  test("is let go with the password alone", async () => {
    await using node = await running()
    node.store.freezes.freeze({ groupId: "", forMs: undefined, reason: "", by: "host" }, 1)
    expect(documentOf(await raw(node.socket, frame('{"command":"unfreeze"}')))).toMatchObject({ code: "E-STO-004" })
    expect(codeIn(await withPassword(node, "unfreeze", "--group", ID(0)))).toBe("E-FRZ-003")
    expect(node.store.freezes.list()).toHaveLength(1)
    expect((await withPassword(node, "unfreeze")).stdout).toStartWith("Unfrozen: the whole node")
    expect(node.store.freezes.list()).toEqual([])
    expect(codeIn(await withPassword(node, "unfreeze"))).toBe("E-FRZ-003")
  })
  test("works without a node, with the password", async () => {
    using home = new Home()
    home.create(1, rsaKey).close()
    const run = (...words: readonly string[]) => cli([...words, "--db", home.db, "--key-file", home.keyFile])
    expect((await run("freeze", "--reason", "no node")).stdout).toContain("Frozen: the whole node")
    {
      using store = openStore(home.db, secret(PASSWORD), { readOnly: true })
      expect(store.freezes.over([])?.reason).toBe("no node")
    }
    expect((await run("unfreeze")).exit).toBe(0)
  })
})

describe("with the password", () => {
  test("share-sign signs by the node's own journal and rules", async () => {
    await using node = await running()
    const out = await withPassword(node, "share-sign", "--group-id", ID(0), "--message", "grüezi", "--json")
    const answer = JSON.parse(out.stdout)
    expect(answer).toMatchObject({ message: "grüezi", message_encoding: "utf-8" })
    const group = node.store.groups.active(ID(0))
    const key = group && memberOf(group, partyNo(0))?.sharePublicKey
    const signature = Buffer.from(answer.signature.slice(2), "hex")
    expect(verifyCheckup("secp256k1", key ?? new Uint8Array(0), utf8("grüezi"), new Uint8Array(signature))).toBe(true)
    expect(node.store.tasks.list({ type: "KeyShareSign", limit: 2 })).toHaveLength(1)
    expect(node.lines).toEqual([expect.stringContaining('info admin command {"command":"share-sign","outcome":"done"')])
  })
  test("the rules in force decide, not those of the file", async () => {
    await using node = await running({ rules: { ...(await rulesOn()), enable: true } })
    const out = await withPassword(node, "share-sign", "--group-id", ID(0), "--message", "hello")
    expect([out.exit, codeIn(out)]).toEqual([5, "E-BAK-023"])
    expect(node.lines[0]).toContain('warn admin command {"command":"share-sign","outcome":"E-BAK-023"')
  })
  test("strikes pardon", async () => {
    await using node = await running({ prepare: (store) => store.strikes.add([strike, strike, strike]) })
    expect(node.store.strikes.refused()).toEqual([cheat])
    expect((await withPassword(node, "strikes", "pardon", nodeIdOf(cheat))).stdout).toContain("3 strikes")
    expect(node.store.strikes.refused()).toEqual([])
  })
  test("trust-waas: durably, beside a running node and without one", async () => {
    await using node = await running()
    const asked = `{"command":"trust-waas","public_key":"${WAAS_KEY}"}`
    expect(documentOf(await raw(node.socket, frame(asked)))).toMatchObject({ done: false, code: "E-STO-004" })
    expect(node.store.waas.decision()).toBeUndefined()
    const out = await withPassword(node, "trust-waas", WAAS_KEY, "--json")
    expect([out.exit, JSON.parse(out.stdout)]).toMatchObject([0, { waas_public_key: WAAS_KEY, replaced: [] }])
    expect(toHex(node.store.waas.decision()?.waasKey ?? new Uint8Array(0))).toBe(WAAS_KEY)
    for (const odd of ["", WAAS_KEY.slice(1), "00".repeat(32), WAAS_KEY.toUpperCase()]) {
      expect(codeIn(await withPassword(node, "trust-waas", odd))).toMatch(/^E-CLI-00[12]$/)
    }
    renameSync(node.socket, `${node.socket}.aside`)
    // The node has the file, so nobody else may change it meanwhile.
    expect(codeIn(await withPassword(node, "trust-waas", WAAS_KEY))).toBe("E-STO-003")
    renameSync(`${node.socket}.aside`, node.socket)
  })
  test("change-password: the new one opens the file, the old one does not, and the node goes on", async () => {
    await using node = await running()
    const next = "a new password of good length"
    const document = '{"command":"change-password"}'
    expect(documentOf(await raw(node.socket, frame(document, PASSWORD, "too short")))).toMatchObject({
      code: "E-CLI-005",
    })
    expect(documentOf(await raw(node.socket, frame(document, PASSWORD, next)))).toMatchObject({ done: true })
    node.store.probe(1)
    using right = secret(next)
    openStore(node.home.db, right, { readOnly: true }).close()
    using wrong = secret(PASSWORD)
    expect(() => openStore(node.home.db, wrong, { readOnly: true })).toThrow("password")
    expect(documentOf(await raw(node.socket, frame(document, PASSWORD, next)))).toMatchObject({ code: "E-STO-004" })
  })
  test("export-share and backup are permitted, done by the command, and their end is logged", async () => {
    await using node = await running()
    const to = ["--export-dir", node.home.file("recovery"), "--password-file", node.home.backupKey]
    expect((await withPassword(node, "export-share", ...to)).exit).toBe(0)
    expect(codeIn(await withPassword(node, "export-share", "--group-ids", ID(7), ...to))).toBe("E-BAK-012")
    const file = node.home.file("one.cosigner")
    const made = await withPassword(node, "backup", "create", "--out", file, "--password-file", node.home.backupKey)
    expect([made.exit, existsSync(file)]).toEqual([0, true])
    expect(node.lines.map((line) => /"command":"([^"]+)","outcome":"([^"]+)"/.exec(line)?.slice(1).join(" "))).toEqual([
      "export-share permitted",
      "export-share done",
      "export-share permitted",
      "export-share E-BAK-012",
      "backup permitted",
      "backup done",
    ])
  })
  test("nothing is permitted that the log for auditors has not got", async () => {
    const prepare = ({ audit }: Store): void => {
      audit.record = () => {
        throw new CosignerError("E-STO-016", { path: "secrets.db", action: "write to" })
      }
    }
    await using node = await running({ prepare })
    const file = node.home.file("one.cosigner")
    const made = await withPassword(node, "backup", "create", "--out", file, "--password-file", node.home.backupKey)
    expect([codeIn(made), existsSync(file)]).toEqual(["E-ADM-008", false])
    expect(made.stderr).toContain("E-STO-016")
    expect(node.lines.at(-1)).toContain('"outcome":"E-STO-016"')
  })
  test("a command that goes away before it is permitted has an end in the log too", async () => {
    await using node = await running()
    const ended = new Promise<void>((resolve) => {
      const socket = connect(node.socket, () => {
        socket.end(frame('{"command":"backup","group_ids":[]}', PASSWORD))
        setTimeout(() => socket.destroy(), 1)
      })
      socket.on("close", () => resolve())
    })
    await ended
    await node.said(2)
    expect(node.lines[0]).toContain('info admin command {"command":"backup","outcome":"permitted"')
    expect(node.lines[1]).toContain('warn admin command {"command":"backup","outcome":"unknown: the command went away"')
  })
  test("after five wrong ones none is taken, the right one neither, and the log names each", async () => {
    await using node = await running()
    const sign = `{"command":"share-sign","group_id":"${ID(0)}","message":"hello"}`
    for (let n = 0; n < 5; n++) {
      expect(documentOf(await raw(node.socket, frame(sign, OTHER)))).toMatchObject({ code: "E-STO-004" })
    }
    const refused = await withPassword(node, "share-sign", "--group-id", ID(0), "--message", "hello")
    expect([refused.exit, codeIn(refused)]).toEqual([5, "E-ADM-004"])
    expect(node.lines.filter((line) => line.startsWith("warn"))).toHaveLength(6)
    expect(node.lines.join("\n")).not.toContain(OTHER)
    expect(node.lines.join("\n")).not.toContain(PASSWORD)
    expect((await on(node, "info")).exit).toBe(0)
  })
  test("a minute later it is taken again", () => {
    const gate = new PasswordGate()
    for (let n = 0; n < 4; n++) gate.wrong(n * 1000)
    expect(gate.shut(4000)).toBeUndefined()
    gate.wrong(4000)
    expect(gate.shut(59_999)).toEqual({ wrong: 5, seconds: 60 })
    expect(gate.shut(60_000)).toBeUndefined()
    gate.wrong(60_000)
    expect(gate.shut(60_500)).toEqual({ wrong: 5, seconds: 60 })
  })
})

describe("who may ask", () => {
  test("the socket has mode 600 in a folder of mode 700", async () => {
    await using node = await running()
    expect(statSync(node.socket).mode & 0o777).toBe(0o600)
    expect(statSync(dirname(node.socket)).mode & 0o777).toBe(0o700)
    expect(node.socket).toEndWith("/db/run/admin.sock")
  })
  test("a command sends nothing to a socket that others may use or own, or that is none", async () => {
    await using node = await running()
    const folder = dirname(node.socket)
    for (const [spoil, mend] of [
      [() => chmodSync(folder, 0o750), () => chmodSync(folder, 0o700)],
      [() => chmodSync(node.socket, 0o666), () => chmodSync(node.socket, 0o600)],
      [() => chownSync(node.socket, 12345, 0), () => chownSync(node.socket, 0, 0)],
    ] as const) {
      spoil()
      expect(codeIn(await on(node, "info"))).toBe("E-ADM-003")
      expect(codeIn(await withPassword(node, "share-sign", "--group-id", ID(0), "--message", "x"))).toBe("E-ADM-003")
      mend()
      expect((await on(node, "info")).exit).toBe(0)
    }
    renameSync(node.socket, `${node.socket}.aside`)
    writeFileSync(node.socket, "", { mode: 0o600 })
    expect(codeIn(await on(node, "info"))).toBe("E-ADM-003")
    renameSync(`${node.socket}.aside`, node.socket)
    expect(node.lines).toEqual([])
  })
  test("the node hears no other user, whatever the modes, and a command believes no other user", async () => {
    await using node = await running()
    const folders = [dirname(node.socket), dirname(node.home.db), node.home.path]
    for (const folder of folders) chmodSync(folder, 0o755)
    chmodSync(node.socket, 0o666)
    process.seteuid?.(STRANGER)
    try {
      expect(await raw(node.socket, frame('{"command":"info"}'))).toHaveLength(0)
    } finally {
      process.seteuid?.(0)
    }
    expect(documentOf(await raw(node.socket, frame('{"command":"info"}')))).toMatchObject({ done: true })
    expect(isUserOrRoot({ pid: 1, uid: STRANGER }, 0)).toBe(false)
    expect(isUserOrRoot({ pid: 1, uid: 0 }, STRANGER)).toBe(true)
    expect(isUserOrRoot(undefined, 0)).toBe(process.platform !== "linux")
  })
  test("a socket that a killed node left is no node: the file is used, and the next start takes its place", async () => {
    await using first = await running()
    renameSync(first.socket, `${first.socket}.left`)
    const left = Bun.listen({ unix: first.socket, socket: { data() {} } })
    chmodSync(first.socket, 0o600)
    renameSync(first.socket, `${first.socket}.kept`)
    left.stop(true)
    renameSync(`${first.socket}.kept`, first.socket)
    expect(codeIn(await on(first, "info"))).toBe("E-CLI-004")
    expect((await withPassword(first, "info")).exit).toBe(0)
    renameSync(`${first.socket}.left`, first.socket)
  })
})

describe("what it is asked", () => {
  test("has one form", async () => {
    await using node = await running()
    for (const document of [
      "",
      "{}",
      "[]",
      '{"command":"freeze"}',
      '{"command":"toString"}',
      '{"command":"info","more":1}',
      '{ "command":"info"}',
      '{"command":"info","command":"info"}',
      '{"command":"tasks","limit":0}',
      '{"command":"tasks","limit":1001}',
      '{"command":"groups","group_id":""}',
    ]) {
      expect({ document, ...Object(documentOf(await raw(node.socket, frame(document)))) }).toMatchObject({
        document,
        done: false,
        code: "E-ADM-006",
      })
    }
  })
  test("has bounds: longer frames, more bytes than a frame, and passwords beyond any end the connection", async () => {
    await using node = await running()
    const info = frame('{"command":"info"}')
    const length = Buffer.alloc(4)
    length.writeUInt32BE(0x7fffffff)
    expect(await raw(node.socket, length)).toHaveLength(0)
    expect(await raw(node.socket, Buffer.alloc(70_000, 1))).toHaveLength(0)
    expect(await raw(node.socket, Buffer.concat([info, info]))).toHaveLength(0)
    expect(documentOf(await raw(node.socket, frame('{"command":"info"}', "x".repeat(1025))))).toMatchObject({
      code: "E-ADM-006",
    })
    expect(documentOf(await raw(node.socket, info.subarray(0, 3), info.subarray(3)))).toMatchObject({ done: true })
  })
  test("is answered although the main thread was busy for longer than a request may take to come", async () => {
    await using node = await running({
      busy: () => Bun.sleepSync(1_300),
      limits: { requestMs: 1_000, replyMs: 10_000 },
    })
    expect(documentOf(await raw(node.socket, frame('{"command":"info"}')))).toMatchObject({ done: true })
  }, 20_000)
  test("is not called refused while the main thread may still carry it out", async () => {
    await using node = await running({ busy: () => Bun.sleepSync(800), limits: { requestMs: 5_000, replyMs: 500 } })
    const sign = `{"command":"share-sign","group_id":"${ID(0)}","message":"hello"}`
    expect(await raw(node.socket, frame(sign, PASSWORD))).toHaveLength(0)
    await node.said(1)
    expect(node.lines[0]).toContain('"outcome":"unknown: the main thread did not answer in time"')
    expect(node.store.tasks.list({ type: "KeyShareSign", limit: 2 })).toHaveLength(1)
  }, 20_000)
  test("fails by the node's own error where the header cannot be read", async () => {
    const error = new CosignerError("E-STO-008", { path: "x", where: "y" })
    await using node = await running({
      prepare: (store) =>
        void spyOn(store, "header").mockImplementation(() => {
          throw error
        }),
    })
    expect(documentOf(await raw(node.socket, frame('{"command":"change-password"}', PASSWORD)))).toMatchObject({
      code: "E-STO-008",
    })
  })
  test("leaves no password behind where it is refused", () => {
    const taken = spyOn(Secret, "from")
    const body = frame('{"command":"thaw"}', PASSWORD, OTHER).slice(4)
    expect(() => decodeRequest(body)).toThrow("$.command")
    const secrets = taken.mock.results.map(({ value }) => value as Secret)
    taken.mockRestore()
    expect(secrets).toHaveLength(2)
    for (const left of secrets) expect(() => left.expose()).toThrow("wiped")
  })
  test("comes in time, from so many at once, and so often", async () => {
    await using node = await running({ limits: { requestMs: 1_000, replyMs: 10_000 } })
    const silent = Array.from({ length: 16 }, () => connect(node.socket).on("error", () => {}))
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once("connect", resolve))))
    expect(await raw(node.socket, frame('{"command":"info"}'))).toHaveLength(0)
    // each is ended once its time is over, although none said anything
    await Promise.all(silent.map((socket) => new Promise((resolve) => socket.once("close", resolve))))
    const codes: unknown[] = []
    for (let n = 0; n < 60; n++)
      codes.push(Object(documentOf(await raw(node.socket, frame('{"command":"info"}')))).code)
    expect(codes.slice(0, 20).every((code) => code === undefined)).toBe(true)
    expect(codes).toContain("E-ADM-005")
  }, 20_000)
})

async function rulesOn() {
  const { checkConfig } = await import("../../../src/config/load.ts")
  return checkConfig("[embedded_risk_control_rules]\nenable = true\n", undefined).config.embedded_risk_control_rules
}
