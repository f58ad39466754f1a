/** Two copies of one WaaS and nodes between them, over real connections: one copy is fenced off, and learns of it. */
import { expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import { CosignerError } from "../../src/errors.ts"
import type { FollowedMemory } from "../../src/link/options.ts"
import { silentLog } from "../../src/log.ts"
import { newUuid } from "../../src/waas/ids.ts"
import { decideNewest, StandingKeeper } from "../../src/waas/standing.ts"
import { createSqliteStore } from "../../src/waas/store/sqlite.ts"
import type { WaasStore } from "../../src/waas/store/store.ts"
import type { Standing } from "../../src/wire/frames.ts"
import { type SignedWaasToken, signToken } from "../../src/wire/waasToken.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { type Identity, newIdentity } from "../wire/documents.ts"
import { stage } from "./stage.ts"
import { type Node, type NodeOptions, startWaas, type Waas } from "./world.ts"

setDefaultTimeout(20_000)

const { onEnd, aWaas, aNode: nodeOn } = stage()

/** Goes once its stores are closed. */
function aFolder(): string {
  const folder = temporaryFolder("followed")
  onEnd(() => folder[Symbol.dispose]())
  return folder.path
}

function aStore(file: string): WaasStore {
  const store = createSqliteStore(file, { orgId: newUuid(), bizOrgId: 1, createdMs: 1 })
  onEnd(() => store.close())
  return store
}

/** A copy of a store, as somebody else would serve it. */
async function copied(store: WaasStore, folder: string, name: string): Promise<WaasStore> {
  const copy = aStore(join(folder, name))
  const { incarnation, mark, markId } = await store.waasToken()
  for (;;) {
    const { mark: now } = await copy.waasToken()
    if (now === mark) return copy
    await copy.raiseWaasToken({ markId, incarnation })
  }
}

interface Copy {
  readonly waas: Waas
  readonly keeper: StandingKeeper
  readonly told: Standing[]
}

async function serve(store: Pick<WaasStore, "waasToken" | "raiseWaasToken">, identity: Identity): Promise<Copy> {
  const told: Standing[] = []
  let waas: Waas | undefined
  const keeper = await StandingKeeper.open({
    store,
    signer: identity,
    log: silentLog,
    tell(standing) {
      told.push(standing)
      for (const party of waas?.relay.online() ?? []) waas?.relay.send(party, standing)
    },
    onFenced: () => waas?.relay.refuseAll("fenced"),
  })
  waas = startWaas({ identity, fence: keeper })
  const started = waas
  onEnd(() => started.stop())
  return { waas, keeper, told }
}

function memory(): FollowedMemory & { readonly all: SignedWaasToken[] } {
  const all: SignedWaasToken[] = []
  return { all, latest: () => all.at(-1), follow: (token) => void all.push(token) }
}

function aNode(to: Waas, identity: Identity, followed: FollowedMemory, more: Partial<NodeOptions> = {}): Node {
  const node = nodeOn(to, { identity, followed, ...more })
  return node
}

test("the copy that a node has not followed is refused, learns why, and serves nobody any more", async () => {
  const folder = aFolder()
  const [identity, one, other] = [newIdentity(), newIdentity(), newIdentity()]
  const store = aStore(join(folder, "waas.db"))
  const first = await serve(store, identity)
  const copy = await copied(store, folder, "copy.db")
  for (let step = 0; step < 2; step++) await first.keeper.step()
  const remembers = memory()
  const node = aNode(first.waas, one, remembers)
  await Promise.all([node.online(), first.waas.journal.until((all) => all.some(({ kind }) => kind === "online"))])
  expect(remembers.latest()?.token).toEqual(await store.waasToken())
  await first.keeper.step()
  while (remembers.all.length < 2) await Bun.sleep(5)
  node.link.stop()

  const second = await serve(copy, identity)
  // It has followed nobody, so the copy is as good as any, for now.
  const stranger = aNode(second.waas, other, memory())
  await stranger.online()
  const shown = aNode(second.waas, one, remembers)
  await shown.ended("E-LNK-022")
  await stranger.ended("E-LNK-023")
  expect(second.keeper.fenced?.code).toBe("E-WAA-060")
  expect(second.keeper.readiness().map(({ name, state }) => `${name} ${state}`)).toEqual(["store ok", "newest failed"])
  expect(second.waas.relay.online().size).toBe(0)
  // Nor a node that has followed nobody, from now on.
  await aNode(second.waas, newIdentity(), memory()).ended("E-LNK-023")
  // The way out: a decision.
  await decideNewest(copy, Date.now())
  const decided = await serve(copy, identity)
  const back = aNode(decided.waas, one, remembers)
  await back.online()
  expect(decided.keeper.fenced).toBeUndefined()
  const late = aNode(first.waas, one, remembers)
  await late.ended("E-LNK-022")
  expect(first.keeper.fenced?.code).toBe("E-WAA-060")
})

test("a token of another key, or none at all, is nothing to follow and fences nobody off", async () => {
  const folder = aFolder()
  const [identity, one] = [newIdentity(), newIdentity()]
  const { waas, keeper } = await serve(aStore(join(folder, "waas.db")), identity)
  const foreign = memory()
  const { keeper: elsewhere } = await serve(aStore(join(folder, "other.db")), newIdentity())
  for (let step = 0; step < 5; step++) await elsewhere.step()
  foreign.follow(await elsewhere.token())
  const node = aNode(waas, one, foreign)
  await node.ended("E-LNK-022")
  expect(keeper.isFenced()).toBe(false)
  // A WaaS that says nothing of how far it has come counts as older once one was followed.
  const silent = aWaas({ identity })
  const before = aNode(silent, newIdentity(), memory())
  await before.online()
  const followed = memory()
  followed.follow(await keeper.token())
  await aNode(silent, newIdentity(), followed).ended("E-LNK-022")
})

test("what WaaS cannot write is told to the nodes, and that it can again", async () => {
  const folder = aFolder()
  const store = aStore(join(folder, "waas.db"))
  let refusal: Error | undefined
  const failing = {
    ...store,
    raiseWaasToken: (next: Parameters<WaasStore["raiseWaasToken"]>[0]) =>
      refusal === undefined ? store.raiseWaasToken(next) : Promise.reject(refusal),
  }
  const { waas, keeper, told } = await serve(failing, newIdentity())
  const node = aNode(waas, newIdentity(), memory())
  await waas.journal.until((all) => all.some(({ kind }) => kind === "online"))
  refusal = new Error("database or disk is full")
  await keeper.step()
  while (node.link.state().waasProblem === undefined) await Bun.sleep(5)
  expect(node.link.state().waasProblem).toMatchObject({ code: "E-WAA-061" })
  expect(keeper.readiness()[0]).toMatchObject({ name: "store", state: "failed", code: "E-WAA-061" })
  // Who reads it looks where the store is: in a file on this machine, or in a database somewhere else.
  for (const where of ["disk", "[waas.store] url"]) expect(keeper.readiness()[0]?.next).toContain(where)
  refusal = new CosignerError("E-WAA-070", { store: "postgres://waas@db:5432/waas", problem: "ECONNREFUSED" })
  await keeper.step()
  expect(keeper.readiness()[0]?.reason).toContain("postgres://waas@db:5432/waas does not answer")
  refusal = undefined
  await keeper.step()
  while (node.link.state().waasProblem !== undefined) await Bun.sleep(5)
  expect(told.map(({ code }) => code)).toEqual(["E-WAA-061", "E-WAA-061", ""])
})

test("a node whose store takes no token follows nobody", async () => {
  const folder = aFolder()
  const { waas } = await serve(aStore(join(folder, "waas.db")), newIdentity())
  const full: FollowedMemory = {
    latest: () => undefined,
    follow() {
      throw new Error("never written")
    },
  }
  const node = aNode(waas, newIdentity(), full)
  await node.journal.until((all) => all.some((one) => one.kind === "line" && one.line.level === "warn"))
  expect(waas.relay.online().size).toBe(0)
})

test("once another key is trusted, the connection to the WaaS of the old one ends and no other comes up", async () => {
  const [old, next] = [newIdentity(), newIdentity()]
  const before = startWaas({ identity: old })
  const node = aNode(before, newIdentity(), memory())
  await node.online()
  node.link.trust(next.publicKey)
  await node.ended("E-LNK-026")
  await node.ended("E-LNK-004")
  await before.stop()
  aWaas({ identity: next, port: before.port })
  await node.online(2)
})

test("a token that another key signed is believed in no place", async () => {
  const folder = aFolder()
  const [identity, stranger] = [newIdentity(), newIdentity()]
  const forged = signToken(stranger, { incarnation: 9, mark: 9, markId: new Uint8Array(16).fill(9) })
  const waas = aWaas({
    identity,
    fence: { token: async () => forged, shown: async () => false, isFenced: () => false },
  })
  const remembers = memory()
  await aNode(waas, newIdentity(), remembers).ended("E-LNK-004")
  expect(remembers.all).toEqual([])
  const honest = await serve(aStore(join(folder, "waas.db")), identity)
  const node = aNode(honest.waas, newIdentity(), remembers)
  await honest.waas.journal.until((all) => all.some(({ kind }) => kind === "online"))
  honest.waas.relay.send(node.identity.party, { kind: "standing", token: forged, code: "", reason: "" })
  await node.ended("E-LNK-004")
  expect(remembers.all.every(({ token }) => token.incarnation !== 9)).toBe(true)
})

test("a replica that is a moment behind its own store is not taken for an older copy", async () => {
  const folder = aFolder()
  const store = aStore(join(folder, "waas.db"))
  const { keeper, waas } = await serve(store, newIdentity())
  const stale = await keeper.token()
  await keeper.step()
  const remembers = memory()
  remembers.follow(await keeper.token())
  const behind = aWaas({
    identity: waas.identity,
    fence: { token: async () => stale, shown: (followed) => keeper.shown(followed), isFenced: () => keeper.isFenced() },
  })
  // The node hangs up and comes back; by then the replica has looked again.
  await aNode(behind, newIdentity(), remembers).ended("E-LNK-022")
  expect(keeper.isFenced()).toBe(false)
})
