/**
 * `cosigner approve` and `client sign --as` against a WaaS that lies: what is signed is what was read in the document, and where
 * anything is amiss nothing is signed and nothing sent.
 */
import { describe, expect, test } from "bun:test"
import { HDKey } from "viem/accounts"
import { signedFromJson } from "../../src/approvals/json.ts"
import { armorSshsig } from "../../src/approvals/sshsig.ts"
import { readStatement } from "../../src/approvals/statement.ts"
import { toHex, utf8 } from "../../src/bytes.ts"
import { watchDesk } from "../../src/cli/approve/watch.ts"
import { CosignerError } from "../../src/errors.ts"
import { rootExtendedPublicKey } from "../../src/keys/group.ts"
import type { WaitingTask } from "../../src/kit/approving/desk.ts"
import { openKeyFile } from "../../src/signers/keyFile.ts"
import { encodeTask, type KeySignTask, type Task } from "../../src/wire/task.ts"
import { waitingTask } from "../kit/approvalsPage/rig.ts"
import { ED, P256 } from "../signers/sshKeys.ts"
import { world } from "../tasks/fakes.ts"
import { EXCHANGE, k1Group, transfer, withPayloads } from "../tasks/payloads.ts"
import { self } from "../tasks/scenario.ts"
import { type Answers, type LyingWaas, lyingWaas } from "./lyingWaas.ts"

const VAULT = "/wallets/mpc/vaults/v"
const OTHER = HDKey.fromMasterSeed(new Uint8Array(32).fill(8)).publicExtendedKey
const ROOT = rootExtendedPublicKey(k1Group)
const EPOCH = toHex(k1Group.epochId)
const payout = withPayloads(world(self))
const TSS = "20261201090000000000000000000001"

const AWAITED = [
  { tss_node_id: "a", epoch: EPOCH, request: true, groups: [{ group: "treasury", min: 2, approved_by: ["bob"] }] },
]

const handed = (task: Task, awaited: readonly object[] = AWAITED, approvals: readonly object[] = []) => ({
  task_id: task.task_id,
  document: Buffer.from(encodeTask(task)).toString(),
  state: "asked",
  deadline_timestamp: task.deadline_ms,
  awaited,
  approvals,
})

/** A WaaS that hands these tasks out for request `r`, and keeps what is posted. */
function office(tasks: readonly object[], more = `roots = ["${ROOT}"]\n`, answers: Answers = {}) {
  const posted: object[] = []
  const post = (body: object) => {
    posted.push(body)
    return { tasks }
  }
  const waas = lyingWaas(
    {
      [`GET ${VAULT}/approvals`]: { requests: [{ sign_request_id: "r" }, { tss_request_id: TSS }] },
      ...answers,
      ...Object.fromEntries(
        [`sign_requests/r`, `tss_requests/${TSS}`].flatMap((at) => [
          [`GET ${VAULT}/${at}/approvals`, { tasks }],
          [`POST ${VAULT}/${at}/approvals`, post],
        ]),
      ),
    },
    more,
  )
  const key = waas.file("ada", ED.secret, 0o600)
  return Object.assign(waas, { posted, key })
}

const say = (waas: LyingWaas & { readonly key: string }, decision: string, ...more: readonly string[]) =>
  waas.run("approve", decision, "r", "--as", "ada", "--key", waas.key, "--yes", "--json", ...more)

/** The statement that was posted. */
function statedIn(posted: unknown) {
  const signed = signedFromJson(Object(posted))
  if ("problem" in signed) throw new Error(signed.problem)
  const stated = readStatement(signed.statement)
  if ("problem" in stated) throw new Error(stated.problem)
  return stated
}

/** By a key file on another machine. */
async function signedElsewhere(waas: { readonly key: string }, statement: string) {
  using signer = openKeyFile(waas.key)
  return await signer.sign("cosigner-approval", utf8(statement))
}

const WORDS = `transfer 0.01 ETH to ${EXCHANGE} on eip155:1, fee at most 0.00063 ETH`

describe("a task that waits", () => {
  test("is listed with what was read, not with what WaaS says of it", async () => {
    await using waas = office([handed({ ...payout, extra_info: { note: "to the tax office" } })])
    const { exit, stdout } = await waas.run("approve", "list")
    expect(exit).toBe(0)
    expect(stdout).toContain(WORDS)
    expect(stdout).toContain("waits, as WaaS says, for whoever asked for it, 2 of treasury (bob)")
    expect(stdout).not.toContain("tax office")
    const shown = await waas.run("approve", "show", "r", "--json")
    expect(JSON.parse(shown.stdout)).toMatchObject([{ request_id: "r", epoch: EPOCH, reading: [WORDS], problem: null }])
  })
  test("cannot be shown as another by what WaaS says beside it", async () => {
    const group = "treasury\u001b[2A\u001b[K\n  transfer 0 ETH"
    const lie = [{ ...AWAITED[0], groups: [{ group, min: 2, approved_by: [] }] }]
    await using waas = office([handed(payout, lie)])
    const { stdout } = await waas.run("approve", "show", "r")
    expect(stdout.split("\n").filter((line) => line.includes("ETH"))).toEqual([
      `  ${WORDS}`,
      expect.stringContaining("for whoever asked for it, 2 of treasury\\u{1b}[2A\\u{1b}[K\\u{a}"),
    ])
  })
  test("of a request that WaaS names by what is no id is refused", async () => {
    const requests = [{ sign_request_id: "r\n  transfer 0 ETH" }]
    await using waas = office([handed(payout)], undefined, { [`GET ${VAULT}/approvals`]: { requests } })
    const { exit, stderr } = await waas.run("approve", "list")
    expect({ exit, stderr }).toMatchObject({ exit: 5, stderr: expect.stringContaining("E-CLI-032") })
  })
  test("is approved, confirmed and rejected with a statement of its own", async () => {
    await using waas = office([handed(payout)])
    for (const decision of ["request", "approve", "reject"]) {
      expect((await say(waas, decision)).exit).toBe(0)
      expect(statedIn(waas.posted.at(-1))).toMatchObject({
        decision,
        approver: "ada",
        task: payout.task_id,
        reading: [WORDS],
      })
    }
    expect(new Set(waas.posted.map((one) => statedIn(one).nonce)).size).toBe(3)
  })
  test("of a key generation is one too", async () => {
    const keygen: Task = {
      ...{
        version: 1,
        type: "KeyGen",
        task_id: "task-9",
        biz_task_id: "b",
        created_ms: 1,
        deadline_ms: payout.deadline_ms,
      },
      ...{
        extra_info: {},
        group_id: payout.group_id,
        curve: "secp256k1",
        threshold: 2,
        node_ids: payout.used_node_ids,
      },
    }
    await using waas = office([handed(keygen, [{ tss_node_id: "a", request: true, groups: [] }])])
    const args = ["--as", "ada", "--key", waas.key, "--yes"]
    expect((await waas.run("approve", "approve", TSS, ...args)).exit).toBe(0)
    const { reading, epoch } = statedIn(waas.posted[0])
    expect(reading[0]).toContain("make a new key on secp256k1: any 2 of these 2 nodes can sign")
    expect(epoch).toBeUndefined()
  })
  test("that was approved can still be rejected, under the epoch that others stated", async () => {
    await using first = office([handed(payout)])
    await say(first, "approve")
    await using waas = office([handed(payout, [], [Object(first.posted[0])])])
    expect((await say(waas, "reject")).exit).toBe(0)
    expect(statedIn(waas.posted[0])).toMatchObject({ decision: "reject", epoch: EPOCH })
  })
  test("of several in one request can be named", async () => {
    const second = { ...payout, task_id: "task-3" }
    await using waas = office([handed(payout), handed(second)])
    expect((await say(waas, "approve")).exit).toBe(0)
    expect(waas.posted.map((one) => statedIn(one).task)).toEqual([payout.task_id, "task-3"])
    expect((await say(waas, "approve", "--task", "task-3")).exit).toBe(0)
    expect(waas.posted).toHaveLength(3)
    const printed = await waas.run("approve", "approve", "r", "--as", "ada", "--statement-only")
    expect([printed.exit, printed.stderr]).toEqual([1, expect.stringContaining("--task")])
  })
})

describe("nothing is signed and nothing sent", () => {
  const unreadable: KeySignTask = { ...payout, payloads: [transfer({ value: 1n }).payload] }
  const twoEpochs = [...AWAITED, { tss_node_id: "b", epoch: "ab".repeat(32), request: true, groups: [] }]
  const wrong: readonly (readonly [what: string, tasks: readonly object[], code: string, more?: string])[] = [
    ["where the payload cannot be read", [handed(unreadable)], "E-CLI-050"],
    ["where the key is not the profile's", [handed(payout)], "E-CLI-032", `roots = ["${OTHER}"]\n`],
    ["where nodes wait with shares of different epochs", [handed(payout, twoEpochs)], "E-CLI-032"],
    ["where no node waits", [handed(payout, [])], "E-CLI-052"],
    ["where the document is none", [{ ...handed(payout), document: "{}" }], "E-CLI-032"],
  ]
  for (const [what, tasks, code, more] of wrong) {
    test(what, async () => {
      await using waas = office(tasks, more)
      const { exit, stderr } = await say(waas, "approve")
      expect([exit, stderr]).toEqual([5, expect.stringContaining(code)])
      expect(waas.posted).toEqual([])
    })
  }
  test("with a name that nobody has, a key of somebody else, or a key that cannot be used", async () => {
    await using waas = office([handed(payout)])
    const approvers = waas.file("approvers.toml", `[[approvers]]\nname = "ada"\nkey = "${P256.pub.trim()}"\n`)
    const known = ["--approvers", approvers]
    expect((await say(waas, "approve", ...known)).stderr).toContain("E-CLI-049")
    expect((await say(waas, "approve", "--as", "eve", ...known)).stderr).toContain("E-CLI-011")
    expect((await say(waas, "approve", "--as", "Ada Lovelace")).stderr).toContain("E-CLI-002")
    expect((await say(waas, "approve", "--key", waas.file("open", ED.secret, 0o644))).stderr).toContain("E-CLI-045")
    expect(waas.posted).toEqual([])
  })
  test("what cannot be read can be rejected", async () => {
    await using waas = office([handed(unreadable)])
    expect((await say(waas, "reject")).exit).toBe(0)
    expect(statedIn(waas.posted[0])).toMatchObject({ decision: "reject", intent: undefined })
  })
  test("a statement that was signed elsewhere is taken back for its own task alone", async () => {
    await using waas = office([handed(payout)])
    const printed = await waas.run("approve", "approve", "r", "--as", "ada", "--statement-only")
    const word = waas.file("word", printed.stdout)
    const signed = await signedElsewhere(waas, printed.stdout)
    const back = [
      "--signature",
      waas.file("word.sig", armorSshsig(signed)),
      "--key",
      waas.file("ada.pub", ED.pub, 0o644),
    ]
    await using other = office([handed({ ...payout, task_id: "task-3" })])
    const refused = await other.run("approve", "approve", "r", "--statement", word, ...back)
    expect([refused.exit, refused.stderr, other.posted]).toEqual([5, expect.stringContaining("E-CLI-049"), []])
    expect((await waas.run("approve", "approve", "r", ...back)).exit).toBe(0)
    expect(statedIn(waas.posted[0])).toMatchObject({ decision: "approve", approver: "ada" })
  })
})

describe("client sign --as", () => {
  const asked = (status: string) => ({
    ...{ sign_request_id: "r", request_id: "r", vault_id: "v", key_share_holder_group_id: "g", used_tss_node_ids: [] },
    ...{ curve: "SECP256K1", signature_type: 1, failed_reason: "", description: "", signatures: [], status },
    ...{ created_timestamp: 1, updated_timestamp: 1 },
  })
  const signing = (status: string) => ({
    [`GET ${VAULT}`]: {
      ...{ vault_id: "v", name: "treasury", type: "Org-Controlled", created_timestamp: 1 },
      root_pubkeys: [{ root_pubkey: ROOT, curve: "SECP256K1" }],
    },
    [`POST ${VAULT}/sign_requests`]: asked("Initializing"),
    [`GET ${VAULT}/sign_requests/r`]: asked(status),
  })
  const ask = (waas: ReturnType<typeof office>) => {
    const payload = waas.file("tx", Buffer.from(transfer().raw.slice(2), "hex"))
    const what = ["--path", "m/44/60/0/0/0", "--payload", payload, "--format", "evm/transaction", "--timeout", "1"]
    return waas.run("client", "sign", ...what, "--as", "ada", "--key", waas.key)
  }

  test("signs the request once a node asks for it", async () => {
    await using waas = office([handed(payout)], undefined, signing("Approving"))
    expect((await ask(waas)).exit).toBe(0)
    expect(waas.posted.map(statedIn)).toMatchObject([{ decision: "request", approver: "ada", reading: [WORDS] }])
  })
  test("does not sign another transaction than it asked for", async () => {
    const { payload, hash } = transfer({ value: 1n })
    const other = {
      ...payout,
      payloads: [payload],
      messages: payout.messages.map((one) => ({ ...one, msg_hash: hash })),
    }
    await using waas = office([handed(other)], undefined, signing("Approving"))
    const { exit, stderr } = await ask(waas)
    expect([exit, stderr, waas.posted]).toEqual([
      5,
      expect.stringContaining("became a task that does something else"),
      [],
    ])
  })
  test("says that nobody asked, where rules need no people", async () => {
    await using waas = office([handed(payout, [])], undefined, signing("Completed"))
    const { exit, stderr } = await ask(waas)
    expect([exit, stderr, waas.posted]).toEqual([0, expect.stringContaining("no node asked"), []])
  })
  test("ends where no node says anything", async () => {
    await using waas = office([handed(payout, [])], undefined, signing("Approving"))
    expect((await ask(waas)).stderr).toContain("E-CLI-052")
  })
})

describe("watching", () => {
  const one = waitingTask()
  const two = waitingTask({ subject: { ...one.subject, task: "task-2" } })
  const away = new CosignerError("E-WAA-013", { url: "http://127.0.0.1", problem: "nobody" })

  /** Each round of the desk, until the last one ends the watch. */
  async function watched(rounds: readonly (readonly WaitingTask[] | CosignerError)[]) {
    const ended = new AbortController()
    const told: string[] = []
    const noted: string[] = []
    let round = 0
    const waiting = async (): Promise<readonly WaitingTask[]> => {
      const now = rounds[round++]
      if (round >= rounds.length) ended.abort()
      if (now instanceof CosignerError) throw now
      return now ?? []
    }
    await watchDesk(
      { waiting },
      {
        ...{ most: 10, signal: ended.signal, pollMs: 0 },
        tell: ({ subject }) => told.push(subject.task),
        note: (text) => noted.push(text),
      },
    )
    return { told, noted }
  }

  test("tells each task once as long as it waits", async () => {
    expect((await watched([[one], [one, two], [two], [one]])).told).toEqual(["task-1", "task-2", "task-1"])
  })
  test("goes on after a WaaS that was out of reach, which is said once", async () => {
    const { told, noted } = await watched([[one], away, away, [one, two], away, []])
    expect(told).toEqual(["task-1", "task-2"])
    expect(noted).toHaveLength(2)
  })
  test("ends with an answer that is not so", async () => {
    const lie = new CosignerError("E-CLI-032", { what: "a task of another key" })
    await expect(watched([[one], lie, []])).rejects.toMatchObject({ code: "E-CLI-032" })
  })
})

describe("the page is not served", () => {
  const wrong: readonly (readonly [what: string, args: readonly string[], says: string])[] = [
    ["to others without TLS", ["--listen", "0.0.0.0:0"], "a loopback address, or --tls-cert and --tls-key"],
    ["at no address", ["--listen", "nowhere"], "an address and a port"],
    ["under a name that browsers give no passkeys", ["--origin", "http://approvals.example.com"], "https://"],
    ["under a name with a path", ["--origin", "https://approvals.example.com/page"], "https://"],
    ["with half of a TLS key", ["--tls-cert", "cert.pem"], "given with --tls-key"],
  ]
  for (const [what, args, says] of wrong) {
    test(what, async () => {
      await using waas = office([])
      const { exit, stderr } = await waas.run("approvals-page", ...args)
      expect([exit, stderr]).toEqual([1, expect.stringContaining(says)])
    })
  }
  test("with a TLS key that others can read, or under no name", async () => {
    await using waas = office([])
    const tls = ["--tls-cert", waas.file("cert", "x"), "--tls-key", waas.file("open", "x", 0o644)]
    const origin = ["--origin", "https://approvals.example.com"]
    expect(await waas.run("approvals-page", ...tls, ...origin)).toMatchObject({
      exit: 3,
      stderr: expect.stringContaining("E-CLI-051"),
    })
    const key = ["--tls-cert", waas.file("cert", "x"), "--tls-key", waas.file("closed", "x", 0o600)]
    expect((await waas.run("approvals-page", ...key)).stderr).toContain("--origin")
  })
})
