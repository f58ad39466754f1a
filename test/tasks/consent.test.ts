/**
 * A task that people have to agree with, from WaaS's frames to the journal: it waits for exactly the words that its rules ask for,
 * verified against the node's own file, and nothing that a WaaS can make, keep, repeat or reorder stands in for one.
 */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { decodeSignedStatement, encodeSignedStatement } from "../../src/approvals/approver.ts"
import { type ApprovalStatement, isUnfit, type StatementSubject } from "../../src/approvals/statement.ts"
import { isInTime, wordOn } from "../../src/approvals/word.ts"
import { copy, toHex, utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import type { SpentWord } from "../../src/policy/decision.ts"
import { NO_INTENT_TABLE } from "../../src/policy/intentTable.ts"
import { namesIn } from "../../src/policy/names.ts"
import type { People } from "../../src/policy/people.ts"
import { checkRules, type Rules } from "../../src/policy/schema.ts"
import { intentSettingsOf, NO_INTENTS } from "../../src/tasks/intents.ts"
import { judge } from "../../src/tasks/policyRequest.ts"
import { createTasks, type TaskRunner } from "../../src/tasks/runner.ts"
import { subjectOf } from "../../src/tasks/subject.ts"
import { TaskWords } from "../../src/tasks/words.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import type { KeyGenTask, KeySignTask } from "../../src/wire/task.ts"
import { passkeyApprover, sshApprover, type TestApprover } from "../support/approvers.ts"
import { runs } from "../support/runs.ts"
import { approved, rejected, type World, world } from "./fakes.ts"
import { ask, cancel, digestOf, group, keysign, parties, self, start, turn, waas } from "./scenario.ts"

const alice = sshApprover("alice")
const bob = sshApprover("bob", "sk-ecdsa-sha2-nistp256@openssh.com")
const carol = passkeyApprover("carol")
const eve = sshApprover("alice") // another key under a name of the file
const PEOPLE: People = {
  approvers: new Map([alice, bob, carol].map(({ approver }) => [approver.name, approver])),
  groups: new Map([["treasury", ["alice", "bob", "carol"]]]),
}
const RULES = { enable: true, key_sign: { reject_all: false, require: [{ group: "treasury", min: 2 }] } }

interface Node {
  readonly w: World
  readonly tasks: TaskRunner
  readonly task: KeySignTask
  /** Who this node knows, and what it asks: a reload changes both. */
  people: People
  rules: object
}

function nodeWith(
  shared: Partial<Pick<World, "records" | "words" | "rows">> = {},
  written: object = RULES,
  journal?: World["ports"]["limits"]["journal"],
): Node {
  const w = world(self, { groups: [group], ...shared })
  let names = namesIn(NO_INTENT_TABLE, new Map(), PEOPLE)
  let said = written
  const rulesOf = (): Rules => {
    const checked = checkRules(said, names)
    if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
    return checked.rules
  }
  let rules = rulesOf()
  w.evaluate = (task, own, usage, nowMs, intents, presented) =>
    judge(rules, task, own, usage, nowMs, intents, presented)
  const settings = () => ({ ...intentSettingsOf(names), chainsOf: () => [] })
  const ports = {
    ...w.ports,
    limits: { ...w.ports.limits, ...(journal && { journal }) },
    get intents() {
      return settings()
    },
  }
  return {
    w,
    tasks: createTasks(waas.publicKey, ports),
    task: keysign(w, { deadline_ms: w.ports.now() + 3_600_000 }),
    get people() {
      return names.people
    },
    get rules() {
      return said
    },
    set rules(next: object) {
      said = next
      rules = rulesOf()
    },
    set people(people: People) {
      names = namesIn(NO_INTENT_TABLE, new Map(), people)
      rules = rulesOf()
    },
  }
}

const subject = ({ task }: Node): StatementSubject => subjectOf(task, digestOf(task), toHex(group.epochId), NO_INTENTS)

let nonces = 0
function saying(
  node: Node,
  who: TestApprover,
  decision: ApprovalStatement["decision"],
  more: Partial<ApprovalStatement> = {},
) {
  const nonce = (++nonces).toString(16).padStart(32, "0")
  const notAfter = Math.floor(node.w.ports.now() / 1000) + 600
  return who.sign({ ...subject(node), decision, approver: who.approver.name, notAfter, nonce, ...more })
}
const bring = async ({ tasks, task }: Node, ...signed: readonly ReturnType<TestApprover["sign"]>[]): Promise<void> => {
  for (const one of signed)
    tasks.onFrame({ kind: "approval", taskId: task.task_id, signed: encodeSignedStatement(one) })
  await turn()
}
const awaited = ({ w }: Node) => w.sent.findLast((frame) => frame.kind === "awaits")
const stateOf = ({ w, task }: Node) => w.records.get(task.task_id)?.state

async function waiting(node = nodeWith()): Promise<Node> {
  ask(node.tasks, node.task)
  await turn()
  expect(stateOf(node)).toBe("claimed")
  expect(node.w.asked).toHaveLength(0)
  return node
}

/** Alice asks for it, bob and carol approve. */
const agreeing = (node: Node, more: Partial<ApprovalStatement> = {}) => [
  saying(node, alice, "request", more),
  saying(node, bob, "approve", more),
  saying(node, carol, "approve", more),
]

/** The callback servers were asked, and agree. */
async function servers(node: Node): Promise<void> {
  expect(node.w.asked).toHaveLength(1)
  node.w.asked[0]?.answer(approved)
  await turn()
}

describe("a task that needs two of treasury", () => {
  test("says what it waits for, and is approved once two who did not ask for it have signed, in whatever order", async () => {
    const node = await waiting()
    expect(awaited(node)).toMatchObject({
      digest: digestOf(node.task),
      awaited: [{ kind: "request" }, { kind: "approvals", group: "treasury", min: 2, by: [] }],
    })
    expect(node.w.ports.journal.waitsFor(node.task.task_id)).toBe(
      "the signed word of whoever asks for it, 2 more of treasury",
    )
    expect(node.w.events.map(({ eventType }) => eventType)).toEqual(["110", "130"])
    const words = agreeing(node)
    await bring(node, ...words.toReversed(), ...words, ...words)
    await servers(node)
    expect(stateOf(node)).toBe("approved")
    expect(node.w.ports.journal.waitsFor(node.task.task_id)).toBe("")
    const spent = node.w.words.get(node.task.task_id) ?? []
    expect(spent.map(({ approver, decision }: SpentWord) => `${decision} ${approver}`).toSorted()).toEqual([
      "approve bob",
      "approve carol",
      "request alice",
    ])
    const verdict = node.w.records.get(node.task.task_id)?.verdict
    expect(verdict?.rules.find(({ rule }) => rule === "key_sign.require.treasury-2")?.reason).toBe(
      "2 of 2 approvals of treasury: bob, carol; asked for by alice",
    )
    start(node.tasks, node.task, 1)
    await turn()
    expect(stateOf(node)).toBe("running")
  })

  test("is not approved by whoever asked for it, nor by one person twice", async () => {
    const node = await waiting()
    await bring(node, saying(node, alice, "request"), saying(node, alice, "approve"), saying(node, bob, "approve"))
    await bring(node, saying(node, bob, "approve"), saying(node, bob, "approve"))
    expect(awaited(node)).toMatchObject({ awaited: [{ kind: "approvals", by: ["bob"] }] })
    expect(node.w.asked).toHaveLength(0)
  })

  test("is not approved without the signed word of whoever asks for it", async () => {
    const node = await waiting()
    await bring(node, saying(node, alice, "approve"), saying(node, bob, "approve"))
    expect(awaited(node)).toMatchObject({ awaited: [{ kind: "request" }] })
    node.w.advance(3_600_000)
    await turn()
    expect(node.w.records.get(node.task.task_id)).toMatchObject({ state: "failed", code: "E-APR-001" })
  })

  test("is refused by one rejection, whatever else was said", async () => {
    const node = await waiting()
    await bring(node, saying(node, alice, "request"), saying(node, bob, "approve"), saying(node, carol, "reject"))
    expect(node.w.records.get(node.task.task_id)).toMatchObject({ state: "rejected", code: "E-RSK-024" })
    await bring(node, saying(node, carol, "approve"))
    expect(stateOf(node)).toBe("rejected")
  })

  test("is refused by a rejection that comes after the approval, while nothing was signed", async () => {
    const node = await waiting()
    await bring(node, ...agreeing(node))
    await servers(node)
    await bring(node, saying(node, bob, "reject"))
    expect(node.w.records.get(node.task.task_id)).toMatchObject({ state: "failed", code: "E-APR-002" })
  })

  test("is refused where a server refuses, and where a word's time ends while servers are asked", async () => {
    const refused = await waiting()
    await bring(refused, ...agreeing(refused))
    refused.w.asked[0]?.answer(rejected)
    await turn()
    expect(stateOf(refused)).toBe("rejected")
    const late = await waiting()
    await bring(late, ...agreeing(late))
    late.w.advance(601_000)
    await servers(late)
    expect(late.w.records.get(late.task.task_id)).toMatchObject({ state: "rejected", code: "E-RSK-024" })
  })

  test("is refused by a rejection whose time ends while servers are asked", async () => {
    const node = await waiting()
    const notAfter = Math.floor(node.w.ports.now() / 1000) + 1200
    await bring(node, ...agreeing(node, { notAfter }))
    await bring(node, saying(node, bob, "reject"))
    node.w.advance(601_000)
    await servers(node)
    expect(node.w.records.get(node.task.task_id)).toMatchObject({ state: "rejected", code: "E-RSK-024" })
  })

  test("goes on after a restart: WaaS is told what is missing, and says all of it again", async () => {
    const before = await waiting()
    const words = agreeing(before)
    await bring(before, ...words.slice(0, 2))
    await before.tasks.stop()
    const after = nodeWith({ records: before.w.records, words: before.w.words, rows: before.w.rows })
    after.tasks.resume()
    await turn()
    expect(awaited(after)).toMatchObject({ awaited: [{ kind: "request" }, { kind: "approvals", by: [] }] })
    await bring(after, ...words)
    await servers(after)
    expect(stateOf(after)).toBe("approved")
    await after.tasks.stop()
    // What was consumed is known after another start, when WaaS has nothing more to say of it.
    const third = nodeWith({ records: after.w.records, words: after.w.words, rows: after.w.rows })
    third.tasks.resume()
    await turn()
    start(third.tasks, third.task, 1)
    await turn()
    expect(stateOf(third)).toBe("running")
  })

  test("is not begun by a node whose file has lost an approver since", async () => {
    const node = await waiting()
    await bring(node, ...agreeing(node))
    await servers(node)
    node.people = { ...PEOPLE, approvers: new Map([...PEOPLE.approvers].filter(([name]) => name !== "bob")) }
    start(node.tasks, node.task, 1)
    await turn()
    expect(stateOf(node)).toBe("approved")
    expect(node.w.sent.at(-1)).toMatchObject({ kind: "report", code: "E-TSK-030" })
  })

  test("counts nobody whose key the file replaced meanwhile", async () => {
    const node = await waiting()
    await bring(node, saying(node, alice, "request"), saying(node, bob, "approve"))
    const another = sshApprover("bob").approver
    node.people = { ...PEOPLE, approvers: new Map([...PEOPLE.approvers, ["bob", another]]) }
    await bring(node, saying(node, carol, "approve"))
    expect(node.w.asked).toHaveLength(0)
    expect(awaited(node)).toMatchObject({ awaited: [{ kind: "approvals", by: ["carol"] }] })
  })

  test("needs words anew once the group has another epoch, before the approval and after it", async () => {
    const another = { ...group, epochId: sha256(utf8("another epoch")) }
    const renewed = (node: Node) => node.w.groups.splice(0, node.w.groups.length, another)
    const before = await waiting()
    await bring(before, saying(before, alice, "request"), saying(before, bob, "approve"))
    renewed(before)
    await bring(before, saying(before, carol, "approve"))
    before.tasks.onOnline()
    await turn()
    expect(before.w.asked).toHaveLength(0)
    expect(awaited(before)).toMatchObject({ epoch: toHex(another.epochId) })
    const epoch = toHex(another.epochId)
    for (const [who, decision] of [
      [alice, "request"],
      [bob, "approve"],
      [carol, "approve"],
    ] as const) {
      await bring(before, saying(before, who, decision, { epoch }))
    }
    await servers(before)
    expect(stateOf(before)).toBe("approved")

    const after = await waiting()
    await bring(after, saying(after, alice, "request"), saying(after, bob, "approve"), saying(after, carol, "approve"))
    await servers(after)
    renewed(after)
    start(after.tasks, after.task, 1)
    await turn()
    expect(stateOf(after)).toBe("approved")
    expect(after.w.sent.at(-1)).toMatchObject({ kind: "report", code: "E-TSK-030" })
  })

  test("is cancelled by WaaS as any other", async () => {
    const node = await waiting()
    cancel(node.tasks, node.task)
    await turn()
    expect(stateOf(node)).toBe("cancelled")
  })

  test("a word that ends too far ahead counts for nothing, and is in the way of none that counts", async () => {
    const node = await waiting()
    const notAfter = Math.floor(node.w.ports.now() / 1000) + 32 * 86_400
    const tooFar = saying(node, bob, "approve", { notAfter })
    await bring(node, saying(node, alice, "request"), saying(node, carol, "approve"), tooFar)
    expect(node.w.asked).toHaveLength(0)
    await bring(node, saying(node, bob, "approve"), tooFar)
    await servers(node)
    expect(stateOf(node)).toBe("approved")
  })

  test("consumes no nonce that another task consumed", async () => {
    const node = await waiting()
    const nonce = "ab".repeat(16)
    node.w.words.set("another", [{ approver: "bob", decision: "approve", nonce, signed: new Uint8Array(1) }])
    await bring(
      node,
      saying(node, alice, "request"),
      saying(node, bob, "approve", { nonce }),
      saying(node, carol, "approve"),
    )
    await servers(node)
    expect(node.w.records.get(node.task.task_id)).toMatchObject({ state: "rejected", code: "E-RSK-024" })
  })

  test("says again what is missing when it is asked again, and when the link comes back", async () => {
    const node = await waiting()
    const told = () => node.w.sent.filter(({ kind }) => kind === "awaits").length
    expect(told()).toBe(1)
    ask(node.tasks, node.task)
    await turn()
    expect(told()).toBe(2)
    // A replica that this task does not concern hears nothing of it.
    node.tasks.onOnline(() => false)
    await turn()
    expect(told()).toBe(2)
    node.tasks.onOnline()
    await turn()
    expect(told()).toBe(3)
    // Of which event servers hear once.
    expect(node.w.events.filter(({ eventType }) => eventType === "130")).toHaveLength(1)
  })

  test("takes up rules that are reloaded: people who are new to the file, and needs that are gone", async () => {
    const node = await waiting()
    const dora = sshApprover("dora")
    await bring(node, saying(node, alice, "request"), saying(node, dora, "approve"), saying(node, bob, "approve"))
    expect(awaited(node)).toMatchObject({ awaited: [{ by: ["bob"] }] })
    node.people = {
      approvers: new Map([...PEOPLE.approvers, ["dora", dora.approver]]),
      groups: new Map([["treasury", ["alice", "bob", "dora"]]]),
    }
    node.tasks.reconsider()
    await turn()
    // WaaS says all again.
    await bring(node, saying(node, dora, "approve"))
    expect(node.w.asked).toHaveLength(1)
    const free = await waiting()
    free.rules = { enable: true, key_sign: { reject_all: false } }
    free.tasks.reconsider()
    await turn()
    expect(free.w.asked).toHaveLength(1)
  })
})

describe("words of strangers", () => {
  const node = nodeWith()
  const about = subject(node)
  const nowMs = node.w.ports.now()
  const words = () => new TaskWords(about, () => PEOPLE, nowMs)
  const strangers = Array.from({ length: 513 }, (_, i) =>
    encodeSignedStatement(saying(node, eve, "approve", { task: `other-${i}` })),
  )
  const strange = (i: number) => strangers[i] ?? new Uint8Array(0)
  const good = encodeSignedStatement(saying(node, alice, "approve"))
  test("cost so many looks at once and so many a second; one that was looked at costs nothing more", () => {
    const taken = words()
    for (let i = 0; i < 1000; i++) taken.take(strange(i % 255), nowMs)
    expect(taken.take(good, nowMs)).toHaveProperty("statement")
    const flooded = words()
    for (let i = 0; i < 256; i++) expect(flooded.take(strange(i), nowMs)).toBeString()
    expect(flooded.take(good, nowMs)).toBeUndefined()
    expect(flooded.take(good, nowMs + 1000)).toHaveProperty("statement")
  })
  test("are remembered up to a bound, and then looked at again", () => {
    const taken = words()
    const at = (i: number): number => nowMs + i * 100
    expect(taken.take(strange(0), at(0))).toBeString()
    for (let i = 1; i < 512; i++) taken.take(strange(i), at(i))
    expect(taken.take(strange(0), at(512))).toBeUndefined()
    taken.take(strange(512), at(513))
    expect(taken.take(strange(0), at(514))).toBeString()
  })
})

test("a node whose journal is short of room takes up no task to wait for people, which is no refusal", async () => {
  const limits = { refused: { burstBytes: 1, bytesPerDay: 1 }, idle: { burstBytes: 1_000_000, bytesPerDay: 1_000_000 } }
  const node = nodeWith({}, RULES, limits)
  for (const task_id of ["task-0", "task-1"]) {
    const task = { ...node.task, task_id }
    ask(node.tasks, task)
    await turn()
    cancel(node.tasks, task)
    await turn()
  }
  expect(node.w.records.get("task-0")?.state).toBe("cancelled")
  expect(node.w.records.has("task-1")).toBe(false)
  expect(node.w.sent.findLast(({ kind }) => kind === "later")).toMatchObject({ taskId: "task-1", code: "E-APR-004" })
})

test("a new key waits for people too, and their words name the nodes that will hold it", async () => {
  const node_ids = parties.map(nodeIdOf)
  const key_gen = {
    reject_all: false,
    allow_list: [{ threshold: 2, node_ids }],
    require: [{ group: "treasury", min: 1 }],
  }
  const node = nodeWith({}, { enable: true, key_gen })
  const { task_id, biz_task_id, created_ms, deadline_ms } = node.task
  const task: KeyGenTask = {
    ...{ version: 1, type: "KeyGen", task_id, biz_task_id, created_ms, deadline_ms, extra_info: {} },
    ...{ group_id: "NbcdefghijklmnopqrsT", curve: "ed25519", threshold: 2, node_ids },
  }
  ask(node.tasks, task)
  await turn()
  expect(awaited(node)).toMatchObject({ epoch: undefined, awaited: [{ kind: "request" }, { min: 1 }] })
  const about = subjectOf(task, digestOf(task), undefined, NO_INTENTS)
  expect(about.reading).toEqual([
    "make a new key on ed25519: any 2 of these 3 nodes can sign",
    ...node_ids.map((id) => `node ${id}`),
  ])
  await bring(node, saying(node, bob, "request", about), saying(node, carol, "approve", about))
  await servers(node)
  expect(stateOf(node)).toBe("approved")
})

describe("what does not count", () => {
  const node = nodeWith()
  const about = subject(node)
  const { approvers } = PEOPLE
  const counts = (signed: ReturnType<TestApprover["sign"]>): boolean => !isUnfit(wordOn(signed, about, approvers))

  test("a word about anything else: task, document, intent, group, epoch, reading; of another key, another name, another time", async () => {
    const others: readonly Partial<ApprovalStatement>[] = [
      { task: "task-2" },
      { document: "00".repeat(32) },
      { intent: `0x${"11".repeat(32)}` },
      { group: "ZbcdefghijklmnopqrsT" },
      { group: undefined },
      { epoch: "00".repeat(32) },
      { epoch: undefined },
      { reading: ["sign something harmless"] },
      { reading: [...about.reading, "note: x"] },
      { approver: "bob" },
      { approver: "mallory" },
    ]
    expect(counts(saying(node, alice, "approve"))).toBe(true)
    for (const other of others) expect(counts(saying(node, alice, "approve", other))).toBe(false)
    expect(counts(saying(node, eve, "approve"))).toBe(false)
    const waits = await waiting()
    await bring(
      waits,
      saying(waits, alice, "request"),
      saying(waits, bob, "approve", { notAfter: Math.floor(waits.w.ports.now() / 1000) }),
      saying(waits, bob, "approve", { notAfter: Math.floor(waits.w.ports.now() / 1000) + 32 * 86_400 }),
      saying(waits, carol, "approve"),
    )
    expect(awaited(waits)).toMatchObject({ awaited: [{ kind: "approvals", by: ["carol"] }] })
  })

  test("mutated, moved, late and recombined words of all kinds of keys", () => {
    const people = [alice, bob, carol]
    const good = people.map((who) => saying(node, who, "approve"))
    for (const signed of good) expect(counts(signed)).toBe(true)
    const bytesOf = good.map(encodeSignedStatement)
    const nowMs = node.w.ports.now()
    const elsewhere: readonly Partial<ApprovalStatement>[] = [
      { task: "task-2" },
      { document: "00".repeat(32) },
      { group: "ZbcdefghijklmnopqrsT" },
      { epoch: "00".repeat(32) },
      { notAfter: Math.floor(nowMs / 1000) - 1 },
      { notAfter: Math.floor(nowMs / 1000) + 40 * 86_400 },
    ]
    const isTaken = (signed: ReturnType<TestApprover["sign"]>): boolean => {
      const word = wordOn(signed, about, approvers)
      return !isUnfit(word) && isInTime(word, nowMs)
    }
    fc.assert(
      fc.property(fc.nat(2), fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(3), (who, at, by, how) => {
        const [signed, person, raw] = [good[who], people[who], copy(bytesOf[who] ?? new Uint8Array(0))]
        if (signed === undefined || person === undefined) throw new Error("three")
        const changed = (bytes: Uint8Array) => {
          const out = copy(bytes)
          out[at % out.length] = (out[at % out.length] ?? 0) ^ by
          return out
        }
        if (how === 0) return expect(isTaken({ ...signed, statement: changed(signed.statement) })).toBe(false)
        if (how === 1) {
          const read = decodeSignedStatement(changed(raw))
          return expect(!isUnfit(read) && isTaken(read)).toBe(false)
        }
        const other = saying(node, person, "approve", elsewhere[at % elsewhere.length] ?? {})
        if (how === 2) return expect(isTaken(other)).toBe(false)
        const words = [other, ...good.filter((one) => one !== signed)]
        const signature = words[by % words.length]?.signature ?? other.signature
        expect(isTaken({ statement: signed.statement, signature })).toBe(false)
      }),
      { numRuns: runs(300, 10_000) },
    )
  })
})

describe("a WaaS that lies", () => {
  test("withholds, repeats, reorders and makes up words: nothing is approved without two of treasury and an asker", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(2), fc.constantFrom("request", "approve", "reject"), fc.nat(4)), { maxLength: 12 }),
        async (script) => {
          const node = await waiting()
          const real = { request: new Set<string>(), approve: new Set<string>(), reject: new Set<string>() }
          for (const [who, decision, how] of script) {
            const person = [alice, bob, carol][who] ?? alice
            const word = saying(node, person, decision, how === 1 ? { task: "task-2" } : {})
            const forged = saying(node, eve, decision, { approver: person.approver.name })
            await bring(node, how === 2 ? forged : word, ...(how === 3 ? [word, word] : []))
            if (how !== 1 && how !== 2) real[decision].add(person.approver.name)
            if (stateOf(node) !== "claimed" || node.w.asked.length > 0) break
          }
          const approving = [...real.approve].filter((name) => !real.request.has(name))
          const isEnough = real.request.size > 0 && approving.length >= 2 && real.reject.size === 0
          expect(node.w.asked.length > 0).toBe(isEnough)
          if (real.reject.size > 0) expect(stateOf(node)).toBe("rejected")
          await node.tasks.stop()
        },
      ),
      { numRuns: runs(25, 400) },
    )
  })
})
