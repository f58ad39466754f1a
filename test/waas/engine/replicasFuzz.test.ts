/**
 * Replicas that die, stand still, come and lose single nodes, in any order that a seed makes: every request ends once, none for a reason
 * that nobody gave, and no number of an attempt is two starts. COSIGNER_LONG=1: many more seeds.
 */
import { expect, test } from "bun:test"
import type { SignRequest } from "../../../src/waas/store/model.ts"
import { type Replica, Replicas } from "../../support/replicas.ts"
import { SeededRandom } from "../../support/seededRandom.ts"

const SEEDS = process.env["COSIGNER_LONG"] === "1" ? 400 : 6
const STEPS = 60
const MOST_REPLICAS = 6

for (let seed = 1; seed <= SEEDS; seed++) {
  test(`seed ${seed}`, () => play(seed), 120_000)
}

async function play(seed: number): Promise<void> {
  const random = new SeededRandom(seed)
  await using all = await Replicas.open(3)
  const made = await all.madeVault()
  const requests: SignRequest[] = []
  const working = (): readonly Replica[] => all.replicas.filter(({ isDead, isPaused }) => !isDead && !isPaused)

  const steps: readonly (() => Promise<unknown>)[] = [
    () => all.settle(random.below(12)),
    () => all.settle(random.below(30)),
    () => all.pass(random.pick([100, 250, 1_000, 5_000])),
    async () => {
      const of = {
        requestId: `${random.below(12)}`,
        nodeIds: all.nodes
          .slice(random.below(2))
          .slice(0, 2)
          .map(({ id }) => id),
      }
      // Nodes are part of what is asked: the same name with others is another request.
      const asked = await all
        .sign(made, random.pick(working()), { ...of, fingerprint: of.nodeIds.join() })
        .catch(() => undefined)
      if (asked !== undefined) requests.push(asked)
    },
    async () => {
      if (working().length > 1) all.kill(random.pick(working()))
    },
    async () => {
      // It stands still, and is given up or not; later it goes on.
      if (working().length < 2) return
      const replica = random.pick(working())
      replica.isPaused = true
      if (random.percent(70)) all.board.die(replica.id)
    },
    async () => {
      const paused = all.replicas.find(({ isPaused }) => isPaused)
      if (paused === undefined) return
      paused.isPaused = false
      if (all.board.alive.includes(paused.id)) return
      // Some of what it had on its mind it still tries, before it hears that it is lost.
      await all.pass(250)
      await all.settle(random.below(6))
      all.kill(paused)
    },
    async () => {
      if (all.replicas.length < MOST_REPLICAS) await all.join()
    },
    () => all.cut(random.pick(working()), random.pick(all.nodes)),
    () => all.link(random.pick(working()), random.pick(all.nodes)),
  ]
  for (let i = 0; i < STEPS; i++) await random.pick(steps)()

  for (const replica of all.replicas) if (replica.isPaused) replica.isPaused = false
  for (const replica of all.replicas.filter(({ id }) => !all.board.alive.includes(id))) all.kill(replica)
  for (const node of all.nodes) for (const replica of working()) await all.link(replica, node)
  await all.until(async () => (await all.store.liveTasks()).length === 0, 1_000, 900)
  for (const request of requests) {
    const ended = await all.signed(request)
    expect([seed, ended.status, ended.code, ended.reason]).toEqual([seed, "Completed", "", ""])
  }
  const page = { limit: 50, after: undefined, before: undefined }
  const { total } = await all.store.signRequests({ vaultId: made.vault.vaultId }, page)
  expect(total).toBe(new Set(requests.map(({ signRequestId }) => signRequestId)).size)
  expectOneStartEach(all)
}

function expectOneStartEach(all: Replicas): void {
  const known = new Map<string, string>()
  for (const { task_id, attempt, terms } of all.starts) {
    const key = `${task_id} ${attempt}`
    const words = JSON.stringify(terms ?? null)
    expect(known.get(key) ?? words).toBe(words)
    known.set(key, words)
  }
}
