/** Readiness of the log: fails while somebody contradicts it, and notices that nobody else has seen it for long. */
import { expect, test } from "bun:test"
import { CosignerError } from "../../../src/errors.ts"
import { auditProbe } from "../../../src/ops/readiness/auditProbe.ts"

const MINUTE = 60_000

test("says who has seen how much, notices what nobody has seen for long, and fails by a contradiction alone", () => {
  let nowMs = 1_000_000
  let state = {
    unseen: 0,
    cosignedMs: undefined as number | undefined,
    by: 0,
    peers: 0,
    problem: undefined as CosignerError | undefined,
  }
  let doubt: { readonly from: string } | undefined
  const { look } = auditProbe({ now: () => nowMs, state: () => state, doubt: () => doubt })
  expect(look()).toEqual({ state: "ok", reason: "no other node is a witness of it" })
  state = { unseen: 0, cosignedMs: nowMs - 30_000, by: 1, peers: 2, problem: undefined }
  expect(look()).toEqual({ state: "ok", reason: "cosigned 30 s ago by 1 of 2" })
  nowMs += 60 * MINUTE
  // Nothing is new: an old cosignature covers all of it.
  expect(look()).toMatchObject({ state: "ok", reason: "cosigned 3630 s ago by 1 of 2" })
  state = { ...state, unseen: 4 }
  expect(look()).not.toHaveProperty("notice")
  nowMs += 4 * MINUTE
  expect(look()).not.toHaveProperty("notice")
  nowMs += 2 * MINUTE
  expect(look()).toMatchObject({ state: "ok", notice: { code: "E-AUD-009" } })
  state = { ...state, unseen: 1, cosignedMs: nowMs }
  expect(look()).toMatchObject({ state: "ok", reason: "cosigned 0 s ago by 1 of 2, 1 leaves since" })
  state = { ...state, problem: new CosignerError("E-AUD-010", { name: "anchors", why: "full" }) }
  expect(look()).toMatchObject({ state: "ok", notice: { code: "E-AUD-010" } })
  // An anchor that fails does not hide that nobody cosigns.
  nowMs += 6 * MINUTE
  expect(look()).toMatchObject({ state: "ok", notice: { code: "E-AUD-009" } })
  doubt = { from: "a peer" }
  expect(look()).toMatchObject({ state: "failed", error: { code: "E-AUD-008" } })
})
