/** What `waas adopt` keeps of the answers of nodes: complete answers, each record once, within bounds. */
import { expect, test } from "bun:test"
import { collector } from "../../src/waas/adoptAnswers.ts"

const record = (byte: number, length = 10) => new Uint8Array(length).fill(byte)
const groups = (isLast: boolean, ...records: readonly Uint8Array<ArrayBuffer>[]) =>
  ({ kind: "groups", records, isLast }) as const

test("an answer counts once its last part is there; a record that came twice is kept once", async () => {
  const told = collector(["a", "b"])
  told.take("a", groups(false, record(1)))
  expect([told.answers(), told.silent()]).toEqual([[], ["a", "b"]])
  // The connection broke, and the node was asked again.
  told.take("a", groups(false, record(1)))
  told.take("a", groups(true, record(2)))
  told.take("b", groups(true))
  await told.all(60_000)
  expect(told.answers()).toEqual([
    { nodeId: "a", records: [record(1), record(2)] },
    { nodeId: "b", records: [] },
  ])
  expect(told.silent()).toEqual([])
})

test("a node that sends more than it may counts as silent, and the same records again are not more", () => {
  const told = collector(["a", "b"], 100)
  for (let time = 0; time < 50; time++) told.take("a", groups(false, record(1), record(2)))
  told.take("a", groups(true))
  for (let byte = 0; byte < 11; byte++) told.take("b", groups(false, record(byte)))
  told.take("b", groups(true, record(12)))
  expect(told.answers()).toEqual([{ nodeId: "a", records: [record(1), record(2)] }])
  expect(told.silent()).toEqual(["b"])
})

test("nobody answers who was not asked", () => {
  const told = collector(["a"])
  told.take("stranger", groups(true, record(1)))
  expect([told.answers(), told.silent()]).toEqual([[], ["a"]])
})
