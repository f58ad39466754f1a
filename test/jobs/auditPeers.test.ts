/**
 * Three nodes as witnesses of each other's logs, through a relay that may do what WaaS may: withhold, repeat, reorder, send to another.
 * A log that was cut, forked or put back is told by its peers; nothing that its own key has not signed is.
 */
import { afterEach, describe, expect, test } from "bun:test"
import { copyFileSync, mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { parseSigned, type SignedCheckpoint } from "../../src/audit/checkpoint.ts"
import { consistencyProof } from "../../src/audit/consistency.ts"
import {
  type NoteKey,
  type NoteSigner,
  noteKeyText,
  noteSigner,
  noteText,
  signatureText,
  signedBy,
} from "../../src/audit/note.ts"
import { decodePeerMessage, encodePeerMessage } from "../../src/audit/peerMessage.ts"
import { refusalText, requestText, witnessed } from "../../src/audit/witnessing.ts"
import { type Bytes, utf8 } from "../../src/bytes.ts"
import type { RemoteWitness } from "../../src/jobs/auditAnchors.ts"
import { createPeerWitnesses, type PeerWitnesses } from "../../src/jobs/auditPeers.ts"
import { type LogSigners, logSigners, signedNow } from "../../src/jobs/auditSigner.ts"
import { type PartyId, partyBytes } from "../../src/keys/party.ts"
import { type Identity, identityOf } from "../../src/mpc/envelope.ts"
import type { Store } from "../../src/store/store.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { fullDisk } from "../store/fullDisk.ts"
import { logTo } from "../support/logTo.ts"
import { digest, Home } from "../support/nodeHome.ts"

interface Message {
  readonly from: PartyId
  readonly to: PartyId
  readonly bytes: Bytes
}

interface PeerNode {
  readonly home: Home
  readonly store: Store
  readonly peers: PeerWitnesses
  readonly identity: Identity
  readonly signers: LogSigners
  readonly said: string[]
  doubts: number
}

const open: Disposable[] = []
afterEach(() => {
  for (const one of open.splice(0).reverse()) one[Symbol.dispose]()
})

/** Databases of three members of one group, each made once. */
let made: readonly string[] | undefined
function templates(): readonly string[] {
  made ??= [0, 1, 2].map((n) => {
    const home = new Home(n)
    using store = home.create(1)
    store.audit.ensureKey()
    store.audit.record(1, { kind: "start", facts: { incarnation: 0 } })
    return home.db
  })
  return made
}

class World {
  nowMs = 1_800_000_000_000
  readonly nodes: PeerNode[] = []
  readonly waiting: Message[] = []
  readonly seen: Message[] = []
  remotes: readonly RemoteWitness[] = []

  constructor() {
    for (const [n, from] of templates().entries()) {
      const home = new Home(n)
      open.push(home)
      mkdirSync(dirname(home.db), { recursive: true })
      copyFileSync(from, home.db)
      const node = { home, store: home.open(), identity: identityOf(digest(`node ${n}`)), said: [], doubts: 0 }
      this.nodes.push(this.start(node))
    }
    open.push({
      [Symbol.dispose]: () => {
        for (const { store } of this.nodes) store.close()
      },
    })
  }

  node(n: number): PeerNode {
    const node = this.nodes[n]
    if (node === undefined) throw new Error("no such node")
    return node
  }

  /** As after a start on the database that is there. */
  start(node: Omit<PeerNode, "peers" | "signers">): PeerNode {
    const signers = logSigners(node.store)
    const made: PeerNode = {
      ...node,
      signers,
      peers: createPeerWitnesses({
        store: node.store,
        self: node.identity,
        signers,
        remotes: this.remotes,
        send: (to, bytes) => this.waiting.push({ from: node.identity.party, to, bytes }),
        now: () => this.nowMs,
        onDoubt: () => {
          made.doubts++
        },
        log: logTo((level, message) => made.said.push(`${level} ${message}`)),
      }),
    }
    return made
  }

  reopen(n: number, from?: string): PeerNode {
    const node = this.node(n)
    node.store.close()
    if (from !== undefined) copyFileSync(from, node.home.db)
    const made = this.start({ ...node, store: node.home.open() })
    this.nodes[n] = made
    return made
  }

  work(n: number, leaves: number): void {
    const entries = Array.from({ length: leaves }, (_, i) => ({ kind: "config", facts: { i } }) as const)
    this.node(n).store.audit.record(this.nowMs, ...entries)
  }

  deliver(message: Message): void {
    this.nodes.find(({ identity }) => identity.party === message.to)?.peers.onMessage(message.from, message.bytes)
  }

  settle(): void {
    for (let message = this.waiting.shift(); message !== undefined; message = this.waiting.shift()) {
      this.seen.push(message)
      this.deliver(message)
    }
  }

  tick(ms = 60_000): void {
    this.nowMs += ms
    for (const { peers } of this.nodes) peers.tick()
    this.settle()
  }
}

const cosignedOf = ({ store }: PeerNode): SignedCheckpoint => {
  const signed = parseSigned(store.witnessing.cosigned ?? "")
  if (signed === undefined) throw new Error("it has one")
  return signed
}
const witnessesOf = (world: World, n: number): number => {
  const { note } = cosignedOf(world.node(n))
  return world.nodes.filter(({ signers }) => signedBy(note, signers.witness.key) !== undefined).length
}

describe("honest nodes", () => {
  test("cosign each other's logs as they grow, at least each minute, and nothing while nothing is new", () => {
    const world = new World()
    for (let round = 0; round < 3; round++) {
      world.work(0, 130 * round + 1)
      if (round === 2) world.node(0).store.audit.pack()
      world.tick()
      expect(cosignedOf(world.node(0)).checkpoint.size).toBe(world.node(0).store.audit.size)
      expect(witnessesOf(world, 0)).toBe(2)
      expect(world.node(0).peers.state()).toMatchObject({ unseen: 0, by: 2, peers: 2 })
    }
    const { length } = world.seen
    world.tick()
    expect(world.seen).toHaveLength(length)
    expect(world.nodes.map(({ said }) => said)).toEqual([[], [], []])
  })
  test("go on after restarts of either side, from what each wrote down", () => {
    const world = new World()
    world.tick()
    world.work(0, 30)
    world.reopen(0)
    world.reopen(1)
    world.tick()
    expect([witnessesOf(world, 0), world.node(0).doubts]).toEqual([2, 0])
    expect(world.reopen(0).peers.state()).toMatchObject({ unseen: 0, by: 2 })
  })
  test("a peer that is away is asked again with the next checkpoint", () => {
    const world = new World()
    world.work(0, 3)
    world.node(0).peers.tick()
    const away = world.node(2).identity.party
    const late = world.waiting.splice(0).filter(({ to }) => to !== away)
    for (const message of late) world.deliver(message)
    world.settle()
    expect(witnessesOf(world, 0)).toBe(1)
    world.work(0, 3)
    world.tick()
    expect(witnessesOf(world, 0)).toBe(2)
  })
})

describe("a log that went back is told by its peers", () => {
  const putBack = (spoil: (world: World, copy: string) => void, onOnline = true) => {
    const world = new World()
    world.work(0, 20)
    world.tick()
    const copy = world.node(0).home.file("copy.db")
    copyFileSync(world.node(0).store.path, copy)
    world.work(0, 20)
    world.tick()
    spoil(world, copy)
    if (onOnline) world.node(0).peers.onOnline()
    world.settle()
    world.tick()
    return world
  }
  test("put back: it has fewer leaves than they saw", () => {
    const world = putBack((world, copy) => world.reopen(0, copy))
    const { store, doubts, said } = world.node(0)
    expect(store.witnessing.doubt?.from).toBe(nodeIdOf(world.node(1).identity.party))
    expect([doubts, said.filter((line) => line.startsWith("error")).length]).toEqual([1, 1])
    // It survives a restart, and is a leaf.
    expect(world.reopen(0).store.witnessing.doubt).toBeDefined()
    world.settle()
    // It asks nobody to cosign another form of the log.
    const { length } = world.seen
    world.work(0, 50)
    world.tick()
    expect(world.seen).toHaveLength(length)
  })
  test("on a full disk it is in force all the same, and is written down at the next start", () => {
    const world = putBack((world, copy) => {
      world.reopen(0, copy)
      using _full = fullDisk()
      world.node(0).peers.onOnline()
      world.settle()
      const { store, doubts, said } = world.node(0)
      expect([store.witnessing.doubt !== undefined, doubts]).toEqual([true, 1])
      expect(said.filter((line) => line.startsWith("error")).length).toBeGreaterThan(0)
    })
    expect(world.reopen(0).store.witnessing.doubt).toBeUndefined()
    world.node(0).peers.onOnline()
    world.settle()
    expect(world.reopen(0).store.witnessing.doubt).toBeDefined()
  })
  test("forked: as many leaves or more, and others", () => {
    for (const more of process.env["COSIGNER_LONG"] === "1" ? [19, 20, 200] : [20]) {
      const world = putBack((world, copy) => {
        world.reopen(0, copy)
        world.work(0, more)
      })
      expect([world.node(0).doubts, world.node(0).store.witnessing.doubt !== undefined]).toEqual([1, true])
    }
  })
  test("an operator's decision ends it: another log begins, and peers cosign that", () => {
    const world = putBack((world, copy) => world.reopen(0, copy))
    world.node(0).store.acceptRollback(world.nowMs)
    const { store, peers } = world.reopen(0)
    expect(store.witnessing.doubt).toBeUndefined()
    world.work(0, 1)
    world.tick()
    expect([witnessesOf(world, 0), peers.state().unseen]).toEqual([2, 0])
    expect(cosignedOf(world.node(0)).checkpoint.origin).toEndWith(`/${store.incarnation}`)
    // The last one of the log before stays with the witnesses; and the copy that has not decided is one of before.
    expect(world.node(1).store.witnessing.of(world.node(0).identity.party).earlier).toHaveLength(1)
  })
  test("a copy from before such a decision is one of before", () => {
    const world = new World()
    world.tick()
    const copy = world.node(0).home.file("copy.db")
    copyFileSync(world.node(0).store.path, copy)
    world.node(0).store.acceptRollback(world.nowMs)
    world.reopen(0)
    world.tick()
    world.reopen(0, copy)
    world.work(0, 500)
    world.tick()
    expect(world.node(0).doubts).toBe(1)
  })
  test("a witness that forgot is no word against it; the others are", () => {
    const world = putBack((world, copy) => {
      world.reopen(1, templates()[1])
      world.reopen(0, copy)
    })
    expect(world.node(0).store.witnessing.doubt?.from).toBe(nodeIdOf(world.node(2).identity.party))
  })
})

describe("a liar stops nobody", () => {
  const answerTo = (world: World, from: number, status: number, text: string): void => {
    const [liar, node] = [world.node(from), world.node(0)]
    const addresses = { sender: partyBytes(liar.identity.party), receiver: partyBytes(node.identity.party) }
    const message = { kind: "answer", key: liar.signers.witness.key, status, text } as const
    const bytes = encodePeerMessage(message, addresses, (signed) => liar.identity.sign(signed))
    world.deliver({ from: liar.identity.party, to: node.identity.party, bytes })
  }
  test("with checkpoints of its own making, with an old one, with sizes out of the air", () => {
    const world = new World()
    world.work(0, 40)
    world.tick()
    const old = cosignedOf(world.node(0))
    world.work(0, 40)
    world.node(0).peers.tick()
    const forged = noteSigner(world.node(0).signers.log.key.name, "log", digest("forged"))
    const text = old.note.text.replace("\n41\n", "\n9999\n")
    const fake = parseSigned(noteText({ text, signatures: [forged.sign(text, 0)] }))
    const theirs = signedNow(world.node(1).store, world.node(1).signers)
    for (const known of [fake, old, theirs, undefined]) {
      for (const status of [409, 422, 403, 400, 999]) answerTo(world, 1, status, refusalText(known))
    }
    for (const words of ["", "7\n", "99999999\n", "-1\n", "x".repeat(40_000)]) answerTo(world, 1, 409, words)
    world.settle()
    expect([world.node(0).doubts, world.node(0).store.witnessing.doubt]).toEqual([0, undefined])
    world.work(0, 1)
    world.tick()
    expect(witnessesOf(world, 0)).toBe(2)
  })
  test("with a cosignature of another text, another key, or none; and one peer is never two witnesses", () => {
    const world = new World()
    world.tick()
    world.work(0, 5)
    world.nowMs += 60_000
    world.node(0).peers.tick()
    world.waiting.splice(0)
    const before = world.node(0).store.witnessing.cosigned
    const liar = world.node(1)
    const line = (text: string): string =>
      noteText({ text: "x\n", signatures: [liar.signers.witness.sign(text, 5)] }).slice(3)
    for (const text of [line("another text\n"), "", "— x AAAAAAAA\n", noteKeyText(liar.signers.witness.key)]) {
      answerTo(world, 1, 200, text)
    }
    const other = noteSigner(liar.signers.witness.key.name, "witness", digest("a second key"))
    const addresses = { sender: partyBytes(liar.identity.party), receiver: partyBytes(world.node(0).identity.party) }
    const { text } = signedNow(world.node(0).store, world.node(0).signers).note
    const signed = noteText({ text: "x\n", signatures: [other.sign(text, 5)] }).slice(3)
    const bytes = encodePeerMessage({ kind: "answer", key: other.key, status: 200, text: signed }, addresses, (b) =>
      liar.identity.sign(b),
    )
    world.deliver({ from: liar.identity.party, to: world.node(0).identity.party, bytes })
    expect(world.node(0).store.witnessing.cosigned).toBe(before)
  })
  test("with a date far off, or lines of its name around its signature: the checkpoint stays one that verifies", () => {
    const world = new World()
    world.tick()
    world.work(0, 5)
    world.nowMs += 60_000
    const node = world.node(0)
    node.peers.tick()
    const requests = world.waiting.splice(0)
    const { key, sign } = world.node(1).signers.witness
    const { text } = signedNow(node.store, node.signers).note
    const junk = { name: key.name, keyId: new Uint8Array(4), signature: new Uint8Array(9_000) }
    const answer = [junk, sign(text, 8e15), junk].map(signatureText).join("")
    answerTo(world, 1, 200, answer)
    expect([node.peers.state().by, node.peers.state().cosignedMs]).toEqual([1, world.nowMs])
    expect(noteText(cosignedOf(node).note)).not.toContain(signatureText(junk))
    expect(signedBy(cosignedOf(node).note, key)).toBe(8e15)
    // Said again it is no further commit, and the honest one's is added.
    const { generation } = node.store
    answerTo(world, 1, 200, answer)
    expect(node.store.generation).toBe(generation)
    for (const message of requests.filter(({ to }) => to === world.node(2).identity.party)) world.deliver(message)
    world.settle()
    expect(witnessesOf(world, 0)).toBe(2)
    expect(world.reopen(0).peers.state()).toMatchObject({ by: 2, cosignedMs: world.nowMs })
  })
  test("with lines of its log's name in a request: what is kept has the one that verifies", () => {
    const world = new World()
    const [liar, node] = [world.node(0), world.node(1)]
    const { log } = liar.signers
    const { text, signatures } = signedNow(liar.store, liar.signers).note
    const junk = { name: log.key.name, keyId: new Uint8Array(4), signature: new Uint8Array(9_000) }
    const request = `old 0\n\n${noteText({ text, signatures: [junk, ...signatures, junk] })}`
    const addresses = { sender: partyBytes(liar.identity.party), receiver: partyBytes(node.identity.party) }
    const message = { kind: "request", key: log.key, status: 0, text: request } as const
    const bytes = encodePeerMessage(message, addresses, (b) => liar.identity.sign(b))
    world.deliver({ from: liar.identity.party, to: node.identity.party, bytes })
    expect(node.store.witnessing.of(liar.identity.party).note).toBe(noteText({ text, signatures }))
  })
  /** What node 0 asks node 1 to cosign; the status that it is answered with, undefined for no answer. */
  const asked = (world: World, key: NoteKey, request: string, from = world.node(0)): number | undefined => {
    const node = world.node(1)
    const receiver = partyBytes(node.identity.party)
    const message = { kind: "request", key, status: 0, text: request } as const
    const addresses = { sender: partyBytes(from.identity.party), receiver }
    const bytes = encodePeerMessage(message, addresses, (signed) => from.identity.sign(signed))
    world.waiting.splice(0)
    world.deliver({ from: from.identity.party, to: node.identity.party, bytes })
    const [answer] = world.waiting
    return answer && decodePeerMessage(answer.bytes, { sender: receiver, receiver: addresses.sender })?.status
  }
  test("with a longer log that does not begin with what was seen, or that another key signed", () => {
    const world = new World()
    world.tick()
    const [log, node] = [world.node(0), world.node(1)]
    const { size: old } = cosignedOf(log).checkpoint
    world.work(0, 9)
    const grown = signedNow(log.store, log.signers)
    const proof = consistencyProof(old, grown.checkpoint.size, log.store.audit.subtree)
    const { key } = log.signers.log
    const signedBy = (by: NoteSigner, text: string) => parseSigned(noteText({ text, signatures: [by.sign(text, 0)] }))
    const other = grown.note.text.replace(/\n[^\n]+\n$/, `\n${Buffer.alloc(32, 1).toString("base64")}\n`)
    const forked = signedBy(log.signers.log, other)
    const second = noteSigner(key.name, "log", digest("second"))
    const moved = signedBy(second, grown.note.text)
    if (forked === undefined || moved === undefined) throw new Error("they are checkpoints")
    const kept = node.store.witnessing.of(log.identity.party)
    expect(asked(world, key, requestText({ old, proof, signed: forked }))).toBe(422)
    expect(asked(world, key, requestText({ old, proof: [], signed: grown }))).toBe(422)
    expect(asked(world, second.key, requestText({ old, proof, signed: moved }))).toBe(403)
    expect(node.store.witnessing.of(log.identity.party)).toEqual(kept)
    // A node of no group with it, whatever it signs, is not answered.
    const stranger = { ...log, identity: identityOf(digest("stranger")) }
    expect(asked(world, key, requestText({ old, proof, signed: grown }), stranger)).toBeUndefined()
    expect(asked(world, key, requestText({ old, proof, signed: grown }))).toBe(200)
  })
  test("with a second log key, or another node's name", () => {
    const world = new World()
    world.tick()
    const [liar, node] = [world.node(0), world.node(1)]
    const addresses = { sender: partyBytes(liar.identity.party), receiver: partyBytes(node.identity.party) }
    const kept = node.store.witnessing.of(liar.identity.party)
    for (const name of [liar.signers.log.key.name, world.node(2).signers.log.key.name]) {
      const second = noteSigner(name, "log", digest("second"))
      const text = `${name}\n9\n${Buffer.alloc(32).toString("base64")}\n`
      const request = `old 0\n\n${noteText({ text, signatures: [second.sign(text, 0)] })}`
      const message = { kind: "request", key: second.key, status: 0, text: request } as const
      const bytes = encodePeerMessage(message, addresses, (b) => liar.identity.sign(b))
      world.deliver({ from: liar.identity.party, to: node.identity.party, bytes })
    }
    expect(node.store.witnessing.of(liar.identity.party)).toEqual(kept)
  })
})

test("WaaS withholds, repeats, reorders, changes and misdirects: at worst nothing is cosigned", () => {
  const world = new World()
  for (let round = 0; round < 2; round++) {
    world.work(0, 7)
    world.tick()
  }
  const old = [...world.seen]
  const before = world.nodes.map(({ store }) => [store.witnessing.cosigned, store.witnessing.doubt])
  for (const message of [...old, ...old.toReversed()]) {
    const flipped = message.bytes.map((byte, at) => (at === 9 ? byte ^ 1 : byte))
    for (const node of world.nodes) {
      world.deliver({ ...message, to: node.identity.party })
      world.deliver({ from: node.identity.party, to: message.to, bytes: message.bytes })
    }
    world.deliver({ ...message, bytes: flipped })
    world.deliver({ ...message, bytes: utf8("") })
  }
  world.waiting.splice(0)
  const after = world.nodes.map(({ store }) => [store.witnessing.cosigned, store.witnessing.doubt])
  expect(after.map(([, doubt]) => doubt)).toEqual([undefined, undefined, undefined])
  for (const [n, [note]] of after.entries()) {
    // A repeated cosignature is a cosignature: the checkpoint is the same.
    const of = (text: unknown) => parseSigned(String(text))?.checkpoint
    expect(of(note)).toEqual(of(before[n]?.[0]))
  }
  world.nowMs += 600_000
  world.work(0, 1)
  world.tick()
  expect(witnessesOf(world, 0)).toBe(2)
})

test("strangers, and a flood of one peer, cost a look", () => {
  const world = new World()
  world.tick()
  const stranger = identityOf(digest("stranger")).party
  world.node(0).peers.onMessage(stranger, utf8("x"))
  world.node(0).peers.onMessage(undefined, utf8("x"))
  const [request] = world.seen
  if (request === undefined) throw new Error("there was one")
  const receiver = world.nodes.find(({ identity }) => identity.party === request.to)
  world.waiting.splice(0)
  for (let n = 0; n < 500; n++) receiver?.peers.onMessage(request.from, request.bytes)
  expect(world.waiting.length).toBeLessThan(40)
})

test("a witness that cannot write down what it saw does not cosign it", () => {
  const world = new World()
  const { store } = world.node(1)
  const audit = store.witnessing
  audit.saw = () => {
    throw new Error("no space")
  }
  world.work(0, 1)
  world.tick()
  expect(witnessesOf(world, 0)).toBe(1)
  expect(world.node(1).said.some((line) => line.includes("not acted upon"))).toBe(true)
})

test("a witness elsewhere cosigns too; what it says without proof is told and stops nobody", async () => {
  const world = new World()
  const witness = noteSigner("witness.test/w1", "witness", digest("elsewhere"))
  let last: SignedCheckpoint | undefined
  let claims: string | undefined
  const done: Promise<unknown>[] = []
  const ask = async (text: string) => {
    if (claims !== undefined) return { status: 409, text: claims }
    const made = witnessed(text, world.node(0).signers.log.key, last)
    if (made.status !== 200) return { status: made.status, text: `${made.known?.checkpoint.size ?? 0}\n` }
    last = made.signed
    return { status: 200, text: signatureText(witness.sign(made.signed.note.text, world.nowMs)) }
  }
  const counted = (text: string) => {
    const answer = ask(text)
    done.push(answer)
    return answer
  }
  world.remotes = [{ url: "https://witness.test", key: witness.key, ask: counted }]
  const node = world.reopen(0)
  const settled = async (): Promise<void> => {
    for (let n = 0; n < 5; n++) {
      await Promise.all(done)
      await Promise.resolve()
    }
  }
  world.work(0, 3)
  world.tick()
  await settled()
  expect(signedBy(cosignedOf(node).note, witness.key)).toBeDefined()
  expect(node.peers.state()).toMatchObject({ unseen: 0, by: 3, peers: 3, problem: undefined })
  // Of a start it knows nothing of what the witness has seen, and learns it from the refusal.
  const again = world.reopen(0)
  world.work(0, 3)
  world.tick()
  await settled()
  expect(again.peers.state()).toMatchObject({ unseen: 0, by: 3 })
  claims = "99999\n"
  world.work(0, 1)
  world.tick()
  await settled()
  expect(again.peers.state()).toMatchObject({ unseen: 0, by: 2, problem: { code: "E-AUD-010" } })
  expect([again.doubts, again.store.witnessing.doubt]).toEqual([0, undefined])
  claims = undefined
  world.work(0, 1)
  world.tick()
  await settled()
  expect(again.peers.state()).toMatchObject({ by: 3, problem: undefined })
})

test("more witnesses than a note has lines: it stays one that is read", async () => {
  const world = new World()
  const answers: Promise<unknown>[] = []
  world.remotes = Array.from({ length: 105 }, (_, n) => {
    const { key, sign } = noteSigner(`witness.test/${n}`, "witness", digest(`witness ${n}`))
    const ask = async (text: string) => {
      const made = witnessed(text, world.node(0).signers.log.key, undefined)
      return { status: made.status, text: made.status === 200 ? signatureText(sign(made.signed.note.text, 9_000)) : "" }
    }
    const asked = (text: string) => {
      const answer = ask(text)
      answers.push(answer)
      return answer
    }
    return { url: `https://witness.test/${n}`, key, ask: asked }
  })
  const node = world.reopen(0)
  world.work(0, 1)
  world.tick()
  for (let n = 0; n < 3; n++) await Promise.all(answers)
  expect(cosignedOf(node).note.signatures).toHaveLength(100)
})
