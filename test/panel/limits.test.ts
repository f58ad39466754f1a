/** What the status port gives one client and all of them, and what of its lists is kept. */
import { expect, test } from "bun:test"
import { silentLog } from "../../src/log.ts"
import { createFeed, type Listed } from "../../src/panel/feed.ts"
import { createLimits, PORT_RATES } from "../../src/panel/limits.ts"
import { createShelf } from "../../src/panel/shelf.ts"
import { jsonOf, rig, taskOf } from "../ops/port/rig.ts"

test("one client takes its own share alone, all of them take what there is, and it comes back", () => {
  const admit = createLimits()
  const count = (client: string | undefined, weight: "long" | "short", atMs: number, asked = 10_000) =>
    Array.from({ length: asked }, () => admit(client, weight, atMs)).filter(Boolean).length
  const { long, short } = PORT_RATES
  expect(count("a", "long", 0)).toBe(long.each.burst)
  expect(count("b", "long", 0)).toBe(long.each.burst)
  expect(count(undefined, "long", 0)).toBe(long.all.burst - 2 * long.each.burst)
  // whoever reads lists all day does not keep a probe from its answer
  expect(count("c", "long", 0)).toBe(0)
  expect(count("c", "short", 0)).toBe(short.each.burst)
  expect(count("a", "long", 1_000)).toBe(long.each.perSecond)
})

test("clients that are remembered are bounded; who comes under ever new names meets the bound of all", () => {
  const admit = createLimits(PORT_RATES, 8)
  const given = Array.from({ length: 5_000 }, (_, i) => admit(`client ${i}`, "long", 0)).filter(Boolean).length
  expect(given).toBe(PORT_RATES.long.all.burst)

  const forgetful = createLimits(PORT_RATES, 8)
  const asks = (client: string) => forgetful(client, "long", 0)
  while (asks("first")) {}
  for (let i = 0; i < 7; i++) asks(`client ${i}`)
  expect(asks("first")).toBe(false)
  // it asked last, so the seven before it are forgotten first
  for (let i = 7; i < 14; i++) asks(`client ${i}`)
  expect(asks("first")).toBe(false)
  for (let i = 14; i < 22; i++) asks(`client ${i}`)
  expect(asks("first")).toBe(true)
})

const entry = (text: string): Listed => ({ text, labels: {} })

test("a feed tells what is new before what is old, a portion at a time, and forgets the oldest", () => {
  const asked: string[] = []
  const feed = createFeed({
    name: "test",
    most: 4,
    portion: { documents: 2, characters: 100 },
    log: silentLog,
    open: () => (key) => {
      asked.push(key)
      return key === "gone" ? undefined : entry(key)
    },
  })
  const told = () => {
    const { put, gone } = feed.next()
    return [put.map(({ key }) => key), gone]
  }
  feed.replace(["1", "2", "3", "4", "5"])
  expect(told()).toEqual([["5", "4"], []])
  feed.added("6")
  feed.changed("3")
  feed.changed("never seen")
  expect(told()).toEqual([["6", "3"], ["2"]])
  expect(told()).toEqual([["3"], []])
  expect(feed.isSettled()).toBe(true)
  // however often one changes, it is told once
  for (let i = 0; i < 1_000; i++) feed.changed("5")
  expect(told()).toEqual([["5"], []])
  feed.added("gone")
  expect(told()).toEqual([[], ["3", "gone"]])
  feed.again()
  expect(told()).toEqual([["6", "5"], []])
  feed.dropUnless((key) => key !== "4")
  expect(told()).toEqual([[], ["4"]])
  expect(asked).not.toContain("never seen")
})

test("a look is bounded by text too, and one document is told whatever its size", () => {
  const feed = createFeed({
    name: "test",
    most: 10,
    portion: { documents: 10, characters: 100 },
    log: silentLog,
    open: () => () => entry("x".repeat(60)),
  })
  feed.replace(["1", "2", "3"])
  expect(feed.next().put).toHaveLength(2)
  expect(feed.next().put).toHaveLength(1)
})

test("a shelf keeps the newest within its size", () => {
  const shelf = createShelf(1_000)
  const put = (order: number, text: string) =>
    shelf.change({
      put: [{ key: `k${order}`, order, text, labels: { state: order % 2 === 0 ? "even" : "odd" } }],
      gone: [],
    })
  for (let order = 1; order <= 20; order++) put(order, `${order} `.padEnd(100, "."))
  const texts = (labels: Record<string, string>) =>
    shelf.page(labels, 0, 100).texts.map((text) => Number.parseInt(text, 10))
  expect(texts({})).toEqual([20, 19, 18, 17, 16, 15, 14, 13, 12, 11])
  expect(texts({ state: "odd" })).toEqual([19, 17, 15, 13, 11])
  expect(texts({ other: "odd" })).toEqual([])
  shelf.change({ put: [], gone: ["k20", "k3"] })
  put(19, "19 changed")
  expect(texts({})).toEqual([19, 18, 17, 16, 15, 14, 13, 12, 11])
  expect(shelf.page({}, 0, 1)).toEqual({ texts: ["19 changed"], nextSkip: 1 })
})

test("beyond its share a client gets 429 and when to come again; others are answered", async () => {
  await using it = await rig()
  it.tasks = [taskOf()]
  await it.settled()
  const answers = await Promise.all(
    Array.from({ length: 900 }, async () => {
      const answer = await it.get("/tasks")
      await answer.arrayBuffer()
      return answer
    }),
  )
  const refused = answers.filter(({ status }) => status === 429)
  expect(refused.length).toBeGreaterThan(100)
  expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThan(0)
  expect(refused[0]?.headers.get("retry-after")).toBe("1")
  const fresh = await it.get("/healthz", { keepalive: false })
  expect((await jsonOf(fresh)).alive).toBe(true)
})
