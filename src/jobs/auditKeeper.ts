/**
 * The leaves of the log for auditors besides those of tasks and commands: start and stop, the rules in force, jumps of the clock, refusals
 * that leave no other record. Also packs the log's full tiles, separate from the commits of signatures.
 */
import type { SignedCheckpoint } from "../audit/checkpoint.ts"
import type { AuditEntry } from "../audit/entry.ts"
import type { WitnessState } from "../audit/witnessing.ts"
import { build } from "../build.ts"
import { concat, fromHex, toHex, utf8 } from "../bytes.ts"
import type { Config } from "../config/config.ts"
import { fetchTrusting } from "../config/trust.ts"
import { sha256 } from "../crypto/frame.ts"
import { codeField, errorText } from "../errors.ts"
import type { Log } from "../log.ts"
import type { Identity } from "../mpc/envelope.ts"
import type { Rules } from "../policy/schema.ts"
import type { Store } from "../store/store.ts"
import type { FromNode } from "../wire/frames.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { anchorsOf, keepAnchors, remoteWitnesses } from "./auditAnchors.ts"
import { createPeerWitnesses, type PeerWitnesses } from "./auditPeers.ts"
import { checkpointsNow, type LogSigners, logSigners } from "./auditSigner.ts"

/** A change of this size between wall clock and monotonic clock is logged: the machine slept, or the clock was set. */
const JUMP_MS = 2_000
/** Refusals without a record of their own share one leaf per this time, so a flood of them does not make the log grow faster. */
const REFUSALS_MS = 60_000

interface KeeperParts {
  readonly store: Pick<Store, "audit">
  readonly log: Log
  /** ms since 1970. */
  readonly now: () => number
  /** Monotonic, ms. */
  readonly clock: () => number
}

interface AuditKeeper {
  /** The facts of the leaf that records the start; the store appends it (Store.nextBoot). */
  started(rules: Rules): AuditEntry["facts"]
  /** Other rules are in force from now on; `waiting` names keys that have changed and are not in force. */
  reloaded(rules: Rules, waiting: readonly string[]): void
  /** A task left no record: it is counted, and one leaf a minute records all of them. */
  unrecorded(code: string, digest: string): void
  /** Called about once a second. */
  tick(): void
  stopped(): void
}

export function createAuditKeeper({ store, log, now, clock }: KeeperParts): AuditKeeper {
  const { audit } = store
  let last = { wallMs: now(), at: clock() }
  let refusals = noRefusals(clock())

  function append(entry: AuditEntry): boolean {
    try {
      audit.record(now(), entry)
      return true
    } catch (error) {
      log.error("the log for auditors could not be written", { ...codeField(error), why: errorText(error) })
      return false
    }
  }

  function tellRefusals(): void {
    const { codes, hash, count } = refusals
    if (count === 0 || append({ kind: "refusals", facts: { count, codes: Object.fromEntries(codes), hash } })) {
      refusals = noRefusals(clock())
    }
  }

  return {
    started(rules) {
      audit.rules = digestOf(rules)
      const { version, commit } = build
      return { version, commit, rules: audit.rules, enabled: rules.enable }
    },
    reloaded(rules, waiting) {
      const before = audit.rules
      audit.rules = digestOf(rules)
      append({ kind: "config", facts: { before, rules: audit.rules, enabled: rules.enable, waiting } })
    },
    unrecorded(code, digest) {
      const { codes, count, hash } = refusals
      codes.set(code, (codes.get(code) ?? 0) + 1)
      const bytes = concat(fromHex(hash) ?? utf8(""), fromHex(digest) ?? utf8(digest))
      refusals = { ...refusals, count: count + 1, hash: toHex(sha256(bytes)) }
    },
    tick() {
      const [wallMs, at] = [now(), clock()]
      const byMs = Math.round(wallMs - last.wallMs - (at - last.at))
      if (Math.abs(byMs) >= JUMP_MS) append({ kind: "clock", facts: { by_ms: byMs, before_ms: last.wallMs } })
      last = { wallMs, at }
      if (at - refusals.since >= REFUSALS_MS) tellRefusals()
      try {
        audit.pack()
      } catch (error) {
        log.warn("the log for auditors could not be packed", { ...codeField(error), why: errorText(error) })
      }
    },
    stopped() {
      tellRefusals()
      append({ kind: "stop", facts: {} })
    },
  }
}

interface Refusals {
  readonly since: number
  readonly count: number
  readonly codes: Map<string, number>
  /** A chain over the digests of the documents, in the order in which they came. */
  readonly hash: string
}

const noRefusals = (since: number): Refusals => ({ since, count: 0, codes: new Map(), hash: "" })

/** SHA-256 of a checked configuration, whatever the order of its keys. */
function digestOf(value: unknown): string {
  const text = JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item === "bigint") return `${item}`
    if (item instanceof Map || item instanceof Set) return [...item]
    if (typeof item !== "object" || item === null || Array.isArray(item)) return item
    return Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
  return toHex(sha256(utf8(text)))
}

const TICK_MS = 1_000
/** Ticks between two checkpoints that go to anchors. */
const ANCHOR_TICKS = 60
/** A cosigned checkpoint older than this is no longer waited for. */
const COSIGNED_MS = 5 * 60_000

/** The checkpoint for the anchors: the newest cosigned one, or the log's own if nobody has cosigned for COSIGNED_MS. */
function toAnchor(store: Store, signers: LogSigners, { cosignedMs = 0 }: WitnessState): SignedCheckpoint {
  const { signed, cosigned } = checkpointsNow(store, signers)
  return cosigned !== undefined && Date.now() - cosignedMs < COSIGNED_MS ? cosigned : signed
}

interface NodeLogParts extends Pick<KeeperParts, "log"> {
  readonly store: Store
  readonly config: Pick<Config, "audit">
  readonly identity: Identity
  readonly send: (frame: FromNode) => void
  /** A peer has shown that the log went back. */
  readonly onDoubt: () => void
}

/** The keeper of a node's log and its witnesses, by this machine's clocks until it is stopped. */
export interface NodeLog extends Pick<AuditKeeper, "started" | "reloaded" | "unrecorded" | "stopped"> {
  readonly peers: PeerWitnesses
  /** The state of the witnesses; its problem may also be one of an anchor. */
  readonly state: () => WitnessState
}

export function keepAudit({ store, config, identity, log, send, onDoubt }: NodeLogParts): NodeLog {
  const keeper = createAuditKeeper({ store, log, now: Date.now, clock: () => performance.now() })
  store.audit.ensureKey()
  const signers = logSigners(store)
  const anchors = keepAnchors(anchorsOf(config.audit), log)
  const peers = createPeerWitnesses({
    store,
    self: identity,
    signers,
    remotes: remoteWitnesses(config.audit, fetchTrusting(undefined)),
    send: (receiver, message) => send({ kind: "peer", receiver: nodeIdOf(receiver), message }),
    now: Date.now,
    onDoubt,
    log,
  })
  let ticks = 0
  const tick = (): void => {
    keeper.tick()
    peers.tick()
    if (++ticks % ANCHOR_TICKS === 0) anchors.put(toAnchor(store, signers, peers.state()))
  }
  const timer = setInterval(() => {
    try {
      tick()
    } catch (error) {
      log.error("the log for auditors was not looked after", { ...codeField(error), why: errorText(error) })
    }
  }, TICK_MS)
  return {
    ...keeper,
    peers,
    state: () => ({ ...peers.state(), problem: anchors.failing() ?? peers.state().problem }),
    stopped() {
      clearInterval(timer)
      keeper.stopped()
    },
  }
}
