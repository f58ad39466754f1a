/** Nodes of several releases in one group: who is chosen, what is refused, and whom the refusal names. */
import { expect, test } from "bun:test"
import { CosignerError } from "../../../src/errors.ts"
import { chooseSigners, namedSigners } from "../../../src/waas/engine/choose.ts"
import { agreed } from "../../../src/waas/engine/versions.ts"
import { ApiFailure } from "../../../src/waas/failure.ts"
import { decodeStart } from "../../../src/wire/signed.ts"
import { VERSIONS, type Versions } from "../../../src/wire/versions.ts"
import { Rig } from "../../support/waas.ts"

const FAR = 99
const spoken = (suites: readonly number[]): Versions & { readonly link: number } => ({ ...VERSIONS, link: 2, suites })

/** The node connects, and says in its hello that it speaks these suites. */
async function connects(rig: Rig, index: number, suites: readonly number[], boot = 1): Promise<void> {
  const token = { incarnation: 0, boot, bootId: `b${boot}`, generation: boot, versions: spoken(suites) }
  expect(await rig.engine.admitFencingToken(rig.node(index).id, token)).toBe("newest")
}

test("without a common version the outdated party is named, this WaaS among them", () => {
  const of = (all: Readonly<Record<string, readonly number[]>>) =>
    agreed("suites", Object.keys(all), (id) => spoken(all[id] ?? []), 1, { ...VERSIONS, suites: [1, 2] })
  const outdated = (why: number | CosignerError) => (why instanceof CosignerError ? why.data : why)
  expect(of({ a: [1, 2], b: [1, 2] })).toBe(2)
  expect(of({ a: [1], b: [1, 2] })).toBe(1)
  expect(outdated(of({ a: [2, 3], b: [1] }))).toMatchObject({ outdated: ["b", "this WaaS"] })
  expect(outdated(of({ a: [2], b: [1] }))).toMatchObject({ outdated: ["b"] })
  expect(outdated(of({ a: [3], b: [3] }))).toMatchObject({ outdated: ["this WaaS"] })
  expect(of({ a: [2, 3], b: [1, 2, 3] })).toBe(2)
})

test("signers are chosen among those that share a suite, even before one that is online", async () => {
  await using rig = await Rig.open({ nodes: 4 })
  const { group } = await rig.madeVault(2)
  await connects(rig, 0, [FAR])
  const candidates = { online: () => true, versions: (id: string) => rig.engine.versions(id) }
  expect(chooseSigners(group, candidates)).toEqual([rig.node(1).id, rig.node(2).id])
  const choice = { ...candidates, online: (id: string) => id === rig.node(0).id }
  expect(chooseSigners(group, choice)).toEqual([rig.node(1).id, rig.node(2).id])
  expect(() => namedSigners(group, [rig.node(0).id, rig.node(1).id], candidates)).toThrow(/E-WAA-028/)
  for (const index of [1, 2]) await connects(rig, index, [FAR])
  try {
    chooseSigners(group, candidates)
    throw new Error("it chose signers that cannot sign together")
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error
    expect(error.errorCode).toBe(30032)
    expect(error.message).toContain("E-WAA-028")
    // The one that only has the old suite, and the WaaS that does not know the new one.
    expect(error.message).toContain(rig.node(3).id)
    expect(error.message).not.toContain(rig.node(1).id)
    expect(error.message).toContain("this WaaS")
  }
})

test("what nodes speak is remembered over a restart, and only their newest word counts", async () => {
  await using rig = await Rig.open()
  await rig.madeVault(2)
  await connects(rig, 0, [1, FAR])
  await rig.crash()
  expect(rig.engine.versions(rig.node(0).id)).toEqual(spoken([1, FAR]))
  await connects(rig, 0, [1], 2)
  expect(rig.engine.versions(rig.node(0).id).suites).toEqual([1])
  expect(rig.engine.versions(rig.node(1).id).suites).toEqual([1])
})

test("a node that was replaced between approval and start ends the request by a code that names it, before any attempt", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault(2)
  rig.node(1).online = false
  const request = await rig.sign(made)
  await rig.relay.settle()
  await connects(rig, 1, [FAR])
  await rig.online(rig.node(1))
  await rig.relay.settle()
  const after = await rig.signed(request)
  expect(after).toMatchObject({ status: "Failed", code: "E-WAA-028" })
  expect(after.reason).toContain("this WaaS")
  expect(after.reason).toContain(rig.node(0).id)
  const [task] = await rig.engine.tasksOf(request)
  expect(task?.attempt).toBe(0)
})

test("a set-up begins in the newest suite that all its nodes speak", async () => {
  for (const [older, terms] of [
    [[1, 2, 3], { suite: 3, nonce: expect.stringMatching(/^[0-9a-f]{32}$/) }],
    [[1, 2], { suite: 2, nonce: expect.stringMatching(/^[0-9a-f]{32}$/) }],
    [[1], undefined],
  ] as const) {
    await using rig = await Rig.open()
    for (const index of [0, 1]) await connects(rig, index, [1, 2, 3])
    await connects(rig, 2, older)
    const vault = await rig.vault()
    const request = await rig.keyGen(vault, await rig.group(vault))
    await rig.relay.settle()
    expect((await rig.tss(request)).status).toBe("Success")
    for (const node of rig.nodes) {
      const starts = node.received.flatMap((frame) =>
        frame.kind === "start" ? [decodeStart(frame.start.document)] : [],
      )
      expect(starts.length).toBeGreaterThan(0)
      for (const start of starts) expect("problem" in start ? start.problem : start.terms).toEqual(terms)
    }
  }
})

test("with a suite in common the same request completes", async () => {
  await using rig = await Rig.open()
  const made = await rig.madeVault(2)
  await connects(rig, 0, [1, FAR])
  await connects(rig, 1, [1])
  const request = await rig.sign(made)
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Completed")
})
