/** Which certificates a node is handed: none that it said it holds, and of others' only while it lacks the latest. */
import { expect, test } from "bun:test"
import { groupsWithNews, untoldEpochs } from "../../../src/waas/engine/epochs.ts"
import type { NodeReport, WaasTask } from "../../../src/waas/store/model.ts"
import { groupOutcome, task } from "../../support/waasRecords.ts"

const report = (status: NodeReport["status"], incarnation?: number): NodeReport => ({
  status,
  attempt: 1,
  approved: true,
  code: "",
  reason: "",
  outcomeDigest: "",
  refused: false,
  ...(incarnation === undefined ? {} : { incarnation }),
})

function setUp(
  epoch: string,
  createdMs: number,
  reports: Readonly<Record<string, NodeReport>>,
  parts: { readonly group?: string; readonly type?: "KeyGen" | "KeyReshare" } = {},
): WaasTask {
  return task(epoch, "", {
    request: { kind: "tss", id: "" },
    type: parts.type ?? "KeyReshare",
    nodeIds: Object.keys(reports),
    createdMs,
    deadlineMs: createdMs + 1,
    state: "completed",
    outcome: groupOutcome(epoch, parts.group ?? "group"),
    reports,
  })
}

const done = report(190)
const generated = setUp("g", 1, { a: done, b: done }, { type: "KeyGen" })
const first = setUp("r1", 2, { a: done, b: report(180) })
const second = setUp("r2", 3, { c: done, d: done })
const told = (nodeId: string, setUps: readonly WaasTask[], incarnation = 0): readonly string[] =>
  untoldEpochs(nodeId, incarnation, setUps).map(({ taskId }) => taskId)

test("where there is nothing there is no news", () => {
  expect(told("a", [])).toEqual([])
})

test("who lacks the latest is told of all that it lacks, first of what it took part in", () => {
  expect(told("a", [generated, first, second])).toEqual(["r2"])
  expect(told("b", [generated, first, second])).toEqual(["r1", "r2"])
  expect(told("bystander", [generated, first, second])).toEqual(["g", "r1", "r2"])
  expect(told("b", [setUp("g", 1, { a: done }, { type: "KeyGen" }), first, second])).toEqual(["r1", "g", "r2"])
})

test("who holds the latest is told of what it promised, and of nothing that others made", () => {
  expect(told("c", [generated, first, second])).toEqual([])
  const promised = setUp("r1", 2, { c: report(180), b: done })
  expect(told("c", [generated, promised, second])).toEqual(["r1"])
  // The latest is the one of highest rank, not the last that was made.
  expect(told("c", [generated, second, setUp("r0", 3, { a: done })])).toEqual([])
  expect(told("c", [generated, second, setUp("r3", 3, { a: done })])).toEqual(["g", "r3"])
})

test("what came to nothing is told to nobody, and is not the latest", () => {
  const { outcome: _, ...failed } = setUp("r3", 9, { c: report(180), e: report(180) })
  const setUps = [generated, first, second, { ...failed, state: "failed" as const, outcome: undefined }]
  expect(told("c", setUps)).toEqual([])
  expect(told("e", setUps)).toEqual(["g", "r1", "r2"])
})

test("each group by itself", () => {
  const other = setUp("x", 9, { a: done }, { group: "other" })
  expect(told("a", [generated, first, second, other])).toEqual(["r2"])
  expect(told("c", [generated, first, second, other])).toEqual(["x"])
})

test("what a node said from an older copy of its database does not count once it goes on from another", () => {
  expect(told("c", [generated, first, second], 7)).toEqual(["r2", "g", "r1"])
  const again = setUp("r2", 3, { c: report(190, 7), d: done })
  expect(told("c", [generated, first, again], 7)).toEqual([])
  expect(told("c", [generated, first, again], 8)).toEqual(["r2", "g", "r1"])
})

test("the groups with news are named once each", () => {
  const put = (nodeId: string, shareGroupId: string) => ({
    put: "succession" as const,
    nodeId,
    taskId: "",
    type: "KeyReshare" as const,
    shareGroupId,
  })
  expect(groupsWithNews([put("a", "x"), put("b", "x"), put("a", "y")])).toEqual(["x", "y"])
  expect(groupsWithNews([])).toEqual([])
})
