/** Commits of one turn together: what is said waits for the disk, whatever the store takes to get there, and failures undo in order. */
import { expect, test } from "bun:test"
import { GroupCommit } from "../../../src/waas/engine/groupCommit.ts"
import type { StoreWrite } from "../../../src/waas/store/store.ts"

/** A store that answers when the test says so. */
function slowStore() {
  const commits: { readonly writes: readonly StoreWrite[]; readonly answer: PromiseWithResolvers<void> }[] = []
  return {
    commits,
    commit(writes: readonly StoreWrite[]): Promise<void> {
      const answer = Promise.withResolvers<void>()
      commits.push({ writes, answer })
      return answer.promise
    },
  }
}

const write = (nodeId: string): StoreWrite => ({
  put: "fencingToken",
  nodeId,
  record: { incarnation: 0, boot: 1, bootId: "b", generation: 1 },
})
const nodes = (writes: readonly StoreWrite[] | undefined): readonly string[] =>
  (writes ?? []).flatMap((one) => (one.put === "fencingToken" ? [one.nodeId] : []))
/** Lets what is settled go on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test("nothing is said while the store has not answered for what it speaks of", async () => {
  const store = slowStore()
  const group = new GroupCommit(store, () => 0)
  const said: string[] = []
  group.whenDurable(() => said.push("nothing waits"))
  group.add([write("a")], () => {})
  void group.flush()
  group.whenDurable(() => said.push("a"))
  await turn()
  expect([said, store.commits.length]).toEqual([["nothing waits"], 1])
  store.commits[0]?.answer.resolve()
  await turn()
  expect(said).toEqual(["nothing waits", "a"])
})

test("a batch that is full is no exception", async () => {
  const store = slowStore()
  const group = new GroupCommit(store, () => 0)
  const said: string[] = []
  for (let i = 0; i < 200; i++) group.add([write(String(i))], () => {})
  group.whenDurable(() => said.push("all"))
  await turn()
  expect([said, store.commits.length]).toEqual([[], 1])
  store.commits[0]?.answer.resolve()
  await turn()
  expect([said, store.commits.length]).toEqual([[], 2])
  store.commits[1]?.answer.resolve()
  await turn()
  expect(said).toEqual(["all"])
  expect(store.commits.flatMap(({ writes }) => nodes(writes))).toEqual(Array.from({ length: 200 }, (_, i) => String(i)))
})

test("commits reach the store one after another", async () => {
  const store = slowStore()
  const group = new GroupCommit(store, () => 0)
  group.add([write("a")], () => {})
  void group.flush()
  group.add([write("b")], () => {})
  const durable = group.flush()
  await turn()
  expect(store.commits.map(({ writes }) => nodes(writes))).toEqual([["a"]])
  store.commits[0]?.answer.resolve()
  await turn()
  expect(store.commits.map(({ writes }) => nodes(writes))).toEqual([["a"], ["b"]])
  store.commits[1]?.answer.resolve()
  await durable
})

test("what the store does not take is undone, latest first, with all that was added since; nothing of it is said", async () => {
  const store = slowStore()
  const group = new GroupCommit(store, () => 0)
  const undone: string[] = []
  const said: string[] = []
  for (const name of ["a", "b"]) group.add([write(name)], () => undone.push(name))
  const first = group.flush()
  group.add([write("c")], () => undone.push("c"))
  group.whenDurable(() => said.push("c"))
  const second = group.flush()
  store.commits[0]?.answer.reject(new Error("disk full"))
  await expect(first).rejects.toThrow("disk full")
  await expect(second).rejects.toThrow("disk full")
  expect([undone, said, store.commits.length]).toEqual([["c", "b", "a"], [], 1])
  group.add([write("d")], () => {})
  const third = group.flush()
  store.commits[1]?.answer.resolve()
  await third
  expect(nodes(store.commits[1]?.writes)).toEqual(["d"])
})

test("while many sessions are at work a commit waits for more to write with it, but not where nobody can wait", async () => {
  const commits: number[] = []
  const commit = async (writes: readonly StoreWrite[]): Promise<void> => void commits.push(writes.length)
  const group = new GroupCommit({ commit }, () => 16)
  const one = (name: string): Promise<void> => {
    group.add([write(name)], () => {})
    return group.durable()
  }
  // Where the system keeps this process from the processor for all of a pause, a write is alone: not 20 times.
  for (let round = 0; round < 20 && !commits.includes(2); round++) {
    await one("a")
    const gathered = [one("b")]
    setTimeout(() => gathered.push(one("c")), 1)
    await gathered[0]
    await Promise.all(gathered)
  }
  expect(commits).toContain(2)
  const before = commits.length
  void one("d")
  void group.flush()
  expect(commits.length).toBe(before + 1)
})
