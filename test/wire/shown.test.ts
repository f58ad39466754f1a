/** What a trace says of frames: enough to follow a session, and nothing of what is in them. */
import { describe, expect, test } from "bun:test"
import { copy, toHex, utf8 } from "../../src/bytes.ts"
import { partyBytes } from "../../src/keys/party.ts"
import { encodeHeader, identityOf, KIND, makeEnvelope, PROTOCOL } from "../../src/mpc/envelope.ts"
import type { FromNode, ToNode } from "../../src/wire/frames.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { shownFrame } from "../../src/wire/shown.ts"

const CONTENT = "what nobody else is to read"
const content = utf8(CONTENT)
const signed = { document: content, signature: new Uint8Array(64) }
const taskId = "task-1"
const me = identityOf(new Uint8Array(32).fill(7))
const other = identityOf(new Uint8Array(32).fill(8)).party
const sid = new Uint8Array(32).fill(9)

const envelopeOf = (receiver: typeof other | undefined) =>
  makeEnvelope(
    me,
    encodeHeader({
      protocol: PROTOCOL.ecdsa,
      round: 2,
      kind: receiver === undefined ? KIND.broadcast : KIND.sealed,
      bodyLength: content.length,
      sid,
      sender: me.party,
      receiver,
      view: new Uint8Array(32),
    }),
    content,
  )

describe("a frame in a trace", () => {
  test("an envelope shows its session, round and ends", () => {
    const of = (receiver: typeof other | undefined) =>
      shownFrame({ kind: "envelope", taskId, envelope: envelopeOf(receiver) }, 500)
    const session = toHex(sid)
    const common = {
      kind: "envelope",
      bytes: 500,
      task: taskId,
      protocol: "ecdsa",
      round: 2,
      stage: "multiply",
      session,
    }
    expect(of(undefined)).toEqual({ ...common, envelope: "broadcast", from: nodeIdOf(me.party), to: "all" })
    expect(of(other)).toEqual({ ...common, envelope: "sealed", from: nodeIdOf(me.party), to: nodeIdOf(other) })
  })
  test("no kind of frame shows what it says", () => {
    const outcome = {
      type: "group",
      group_id: "g",
      epoch_id: CONTENT,
      curve: "ed25519",
      root_extended_public_key: CONTENT,
      threshold: 2,
      participants: [{ node_id: CONTENT, share_id: CONTENT, share_public_key: CONTENT }],
      certificate: [CONTENT],
    } as const
    const report = { taskId, digest: CONTENT, type: "KeyGen", attempt: 1, approved: true, code: "E-TSK-001" } as const
    const frames: readonly (ToNode | FromNode)[] = [
      { kind: "task", task: signed },
      { kind: "start", start: signed },
      { kind: "cancel", cancel: signed },
      { kind: "envelope", taskId, envelope: envelopeOf(other) },
      { kind: "envelope", taskId, envelope: content },
      { kind: "certificate", taskId, acks: [content] },
      { kind: "succession", task: signed, attempt: 1, outcome },
      { kind: "checkups", groupId: "g", epochId: copy(partyBytes(other)), checkups: [] },
      { kind: "outcomeStored", taskId },
      { kind: "report", ...report, status: 190, reason: CONTENT, outcome },
    ]
    for (const frame of frames) {
      const text = JSON.stringify(shownFrame(frame, 77))
      expect(text).toContain(`"kind":"${frame.kind}","bytes":77`)
      expect(text).not.toContain(CONTENT)
      expect(text).not.toContain(toHex(content).slice(0, 16))
    }
    expect(shownFrame({ kind: "envelope", taskId, envelope: content }, 1)).toMatchObject({ envelope: "malformed" })
  })
})
