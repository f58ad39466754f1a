/** Where a frame goes among several links, for any history of commands and of links that come and go. */
import { describe, expect, test } from "bun:test"
import * as fc from "fast-check"
import { Routes } from "../../src/link/routes.ts"
import type { FromNode, ToNode } from "../../src/wire/frames.ts"
import { awaits, envelope, later, readiness, report } from "../wire/said.ts"

class FakeLink {
  isUp = true
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
  isOnline(): boolean {
    return this.isUp
  }
}

const ping: ToNode = { kind: "tellGroups" }
const peer: FromNode = { kind: "peer", receiver: "node", message: new Uint8Array(1) }
const groups: FromNode = { kind: "groups", records: [], isLast: true }

function three(most?: number) {
  const links = [new FakeLink("a"), new FakeLink("b"), new FakeLink("c")] as const
  const [a, b, c] = links
  const routes = new Routes<FakeLink>(links, most)
  const names = (frame: FromNode): string =>
    routes
      .of(frame)
      .map(({ name }) => name)
      .join("")
  const command = (link: FakeLink, taskId: string): void => routes.hear(link, ping, () => routes.commanded(taskId))
  return { a, b, c, routes, names, command }
}

describe("what is said of a task", () => {
  test("goes to the replica that commanded last, and nowhere else", () => {
    const { a, b, routes, names, command } = three()
    command(b, "t")
    for (const say of [report, later, awaits, envelope]) expect(names(say("t"))).toBe("b")
    command(a, "t")
    for (const say of [report, later, awaits, envelope]) expect(names(say("t"))).toBe("a")
    expect([a, b].map((link) => routes.isHome(link, "t"))).toEqual([true, false])
    // Of another task nothing is known.
    for (const say of [report, later, awaits, envelope]) expect(names(say("other"))).toBe("abc")
  })

  test("goes to all that are online while its home is not; envelopes wait for the home", () => {
    const { a, b, c, names, command } = three()
    command(b, "t")
    b.isUp = false
    for (const say of [report, later, awaits]) expect(names(say("t"))).toBe("ac")
    expect(names(envelope("t"))).toBe("b")
    a.isUp = false
    c.isUp = false
    for (const say of [report, later, awaits, envelope]) expect(names(say("t"))).toBe("b")
    for (const say of [report, later, awaits, envelope]) expect(names(say("other"))).toBe("a")
    c.isUp = true
    for (const say of [report, later, awaits]) expect(names(say("t"))).toBe("c")
  })

  test("has no home any more once WaaS has the outcome, whichever replica says so", () => {
    const { b, c, routes, names, command } = three()
    command(b, "t")
    command(b, "other")
    let during = ""
    routes.hear(c, { kind: "outcomeStored", taskId: "t" }, () => {
      during = names(report("t"))
    })
    expect([during, names(report("t")), names(report("other"))]).toEqual(["b", "abc", "b"])
  })

  test("nothing but a frame that is being handled makes a home, also after one whose handler threw", () => {
    const { b, routes, names } = three()
    routes.commanded("t")
    expect(names(report("t"))).toBe("abc")
    expect(() =>
      routes.hear(b, ping, () => {
        throw new Error("a bug")
      }),
    ).toThrow()
    routes.commanded("t")
    expect(names(report("t"))).toBe("abc")
  })

  test("homes are bounded: the one that was commanded longest ago goes", () => {
    const { a, b, names, command } = three(3)
    for (const task of ["1", "2", "3"]) command(b, task)
    command(a, "1")
    command(b, "4")
    expect(["1", "2", "3", "4"].map((task) => names(report(task)))).toEqual(["a", "abc", "b", "b"])
  })
})

test("readiness goes to all that are online, groups to the replica that asked", () => {
  const { a, b, c, routes, names } = three()
  b.isUp = false
  expect(names(readiness)).toBe("ac")
  let told = ""
  routes.hear(c, ping, () => {
    told = names(groups)
  })
  expect(told).toBe("c")
  expect(names(groups)).toBe("ac")
  a.isUp = false
  c.isUp = false
  expect(names(readiness)).toBe("")
})

test("a message to a peer goes by one link: back where the question came from, else by turns", () => {
  const { a, b, c, routes, names } = three()
  expect([1, 2, 3, 4].map(() => names(peer))).toEqual(["a", "b", "c", "a"])
  let answered = ""
  routes.hear(c, { kind: "peer", sender: "node", message: new Uint8Array(1) }, () => {
    answered = names(peer) + names(peer)
  })
  expect(answered).toBe("cc")
  for (const link of [a, b, c]) link.isUp = false
  expect(names(peer)).toBe("")
})

test("for any history: one home while it is online, else every link that is, never one that is not if another is", () => {
  const step = fc.record({
    kind: fc.constantFrom("command", "flip", "stored"),
    link: fc.nat({ max: 2 }),
    task: fc.constantFrom("1", "2", "3"),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const { a, b, c, routes } = three()
      const links = [a, b, c]
      const homes = new Map<string, FakeLink>()
      for (const { kind, link: at, task } of steps) {
        const link = links[at] ?? a
        if (kind === "flip") link.isUp = !link.isUp
        else if (kind === "command") {
          routes.hear(link, ping, () => routes.commanded(task))
          homes.set(task, link)
        } else {
          routes.hear(link, { kind: "outcomeStored", taskId: task }, () => {})
          homes.delete(task)
        }
        const online = links.filter(({ isUp }) => isUp)
        for (const of of ["1", "2", "3"]) {
          const home = homes.get(of)
          const expected = home?.isUp ? [home] : online.length > 0 ? online : [home ?? a]
          expect(routes.of(report(of))).toEqual(expected)
          expect(routes.of(envelope(of))).toEqual(home ? [home] : expected)
          // What a link is told again when it comes up is what goes by it.
          for (const one of online) expect(routes.concerns(one, of)).toBe(routes.of(report(of)).includes(one))
        }
      }
    }),
    { numRuns: 200 },
  )
})
