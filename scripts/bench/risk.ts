/**
 * Risk control: what it adds to a task. The embedded rules with 200 of them, one callback server on loopback, and 200
 * tasks whose callbacks are in flight at once. The server runs in this process and thread, so its signing and checking
 * is part of the callback's figure.
 */
import { generateKeyPairSync, randomUUID } from "node:crypto"
import { createAsker } from "../../src/callback/ask.ts"
import type { Effect, Reading } from "../../src/intent/reading.ts"
import { startReferenceServer } from "../../src/kit/callbackServer/server.ts"
import { NO_USAGE } from "../../src/policy/decision.ts"
import { evaluate } from "../../src/policy/evaluate.ts"
import type { KeySignRequest } from "../../src/policy/request.ts"
import { checkRules, type Rules } from "../../src/policy/schema.ts"
import type { KeyGenTask } from "../../src/wire/task.ts"
import { tokenSigner } from "../../src/wire/tssJwt.ts"

interface Row {
  readonly op: string
  readonly count: number
  readonly p50_ms: number
  readonly p99_ms: number
  /** What the project promises for p50; undefined: no promise. */
  readonly target_ms: number | undefined
}

const RULES = 200
const IN_FLIGHT = 200
const RULE_ROUNDS = 3_000
const CALLBACK_ROUNDS = 300

export async function benchRisk(): Promise<Row[]> {
  return [benchRules(), benchIntents(), benchBroad(), benchFunctions(), ...(await benchCallbacks())]
}

const SIGN: KeySignRequest = {
  type: "key_sign",
  taskId: "task",
  extraInfo: { transaction: { raw_tx_info: { unsigned_raw_tx: "0x" } } },
  groupId: "group",
  rootPubKey: "xpub",
  rootKey: "secp256k1/02aa",
  curve: "secp256k1",
  signatureType: "ECDSA",
  usedNodeIds: ["a", "b"],
  messages: [],
  intents: [],
}

function benchRules(): Row {
  const rules = manyRules()
  const messages = Array.from({ length: 16 }, (_, i) => ({ path: [44, 60, 0, 0, i], hash: "0x" }))
  const request: KeySignRequest = { ...SIGN, messages }
  const usage = { ...NO_USAGE, count: () => 1 }
  const times = Array.from({ length: RULE_ROUNDS }, () => {
    const start = performance.now()
    const { verdict } = evaluate(rules, request, usage, 1_795_340_699_000)
    const took = performance.now() - start
    if (verdict.action !== "approve" || verdict.rules.length < RULES) throw new Error("the rules did not do their work")
    return took
  })
  return row(`evaluate ${RULES} rules`, times, 0.2)
}

/** Of every kind, and limits of all three scopes to fill them up. */
function manyRules(): Rules {
  const limits = Array.from({ length: RULES - 10 }, (_, i) => {
    const limit = { name: `limit${i}`, window: "1h", max: 1000 }
    if (i % 3 === 0) return { ...limit, per: "all" }
    return i % 3 === 1 ? { ...limit, per: "group" } : { ...limit, per: "path_prefix", path_prefix: "m/44/60" }
  })
  const checked = checkRules({
    enable: true,
    key_sign: {
      reject_all: false,
      allowed_groups: ["other", "group"],
      allowed_root_keys: ["xpub"],
      signature_types: ["ECDSA"],
      curves: ["secp256k1"],
      allowed_paths: ["m/86/**", "m/44/60/*/0/0-99"],
      max_batch: 16,
      required_node_ids: ["a"],
      forbidden_node_ids: ["z"],
      extra_info_present: ["transaction.raw_tx_info"],
      time_windows: [{ zone: "Europe/Zurich" }],
      limits,
    },
  })
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  return checked.rules
}

const ENTRIES = 500
const EFFECTS = 100
const INTENT_ROUNDS = 1_000

const account = (n: number): string => `0x${n.toString(16).padStart(40, "0")}`

const conditions = (i: number) => ({
  effects: ["transfer", "approve"],
  assets: ["ETH"],
  max_fee: ["0.02 ETH"],
  paths: ["m/44/60/0/0/*"],
  initiators: ["ops"],
  time_windows: [{ zone: ["Europe/Zurich", "UTC", "Asia/Tokyo"][i % 3] }],
})
const LIMITS = [{ name: "day", asset: "ETH", per: "all", window: "24h", max_amount: "1000 ETH" }]

/** Every effect is covered by another entry, the last of them all by the last; each entry states most of its conditions. */
function benchIntents(): Row {
  const allow = Array.from({ length: ENTRIES - 100 }, (_, i) => ({
    ...conditions(i),
    name: `entry${i}`,
    to: [account(i), account(i + 10_000)],
    max_amount: ["1 ETH"],
  }))
  const deny = Array.from({ length: 100 }, (_, i) => ({
    name: `deny${i}`,
    effects: ["transfer"],
    to: [account(i + 90_000)],
  }))
  return benchEntries(`evaluate ${ENTRIES} entries over ${EFFECTS} effects`, { allow, deny, limits: LIMITS })
}

/** No account sorts these out beforehand: all are for ETH, and the amounts of the effects fit the last alone. */
function benchBroad(): Row {
  const allow = Array.from({ length: ENTRIES - 100 }, (_, i) => ({
    ...conditions(i),
    name: `entry${i}`,
    max_amount: [i === ENTRIES - 101 ? "1 ETH" : "0 ETH"],
  }))
  const deny = Array.from({ length: 100 }, (_, i) => ({
    name: `deny${i}`,
    assets: ["BTC"],
    initiators: ["ops"],
    chains: [`eip155:${i + 2}`],
  }))
  return benchEntries(`evaluate ${ENTRIES} entries without \`to\` over ${EFFECTS} effects`, {
    allow,
    deny,
    limits: LIMITS,
  })
}

/** Functions differ, in entries and effects: nothing is asked once for several effects. */
function benchFunctions(): Row {
  const selector = (i: number): string => `0x${i.toString(16).padStart(8, "0")}`
  const allow = Array.from({ length: ENTRIES }, (_, i) => ({
    name: `entry${i}`,
    effects: ["call"],
    selectors: [selector(i)],
    max_fee: ["0.02 ETH"],
  }))
  const effects = Array.from({ length: EFFECTS }, (_, i): Effect => {
    const to = account(i)
    return {
      kind: "call",
      from: account(1),
      to,
      selector: selector(ENTRIES - 1 - i),
      data: new Uint8Array(4),
      value: 0n,
    }
  })
  return benchEntries(`evaluate ${ENTRIES} entries by function over ${EFFECTS} calls`, { allow }, effects)
}

const transfers = Array.from({ length: EFFECTS }, (_, i): Effect => {
  const to = account((i * 4 + 3) % (ENTRIES - 100))
  return { kind: "transfer", from: account(1), to, asset: "eip155:1/slip44:60", amount: 1n }
})

function benchEntries(op: string, keySign: object, effects: readonly Effect[] = transfers): Row {
  const checked = checkRules({ enable: true, key_sign: { reject_all: false, ...keySign } })
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  const path = [44, 60, 0, 0, 5]
  const reading: Reading = {
    format: "evm/transaction",
    chain: "eip155:1",
    from: [account(1)],
    effects,
    fee: { max: 1n, asset: "eip155:1/slip44:60", unbounded: false },
    nonce: "1",
    signs: [{ path, bytes: new Uint8Array(32) }],
  }
  const request: KeySignRequest = {
    ...SIGN,
    extraInfo: { transaction: { initiator: "ops" } },
    intents: [{ reading, accounts: new Map() }],
    messages: [{ path, hash: "0x", payload: 0 }],
  }
  const times = Array.from({ length: INTENT_ROUNDS }, () => {
    const start = performance.now()
    const { verdict } = evaluate(checked.rules, request, NO_USAGE, 1_795_340_699_000)
    const took = performance.now() - start
    if (verdict.action !== "approve") throw new Error(verdict.reason)
    return took
  })
  return row(op, times, 2)
}

async function benchCallbacks(): Promise<Row[]> {
  const node = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const risk = generateKeyPairSync("rsa", { modulusLength: 2048 })
  const server = startReferenceServer(
    {
      rules: { keyGen: true, keyReshare: false, keyShareSign: false, evm: [] },
      nodeKeys: [node.publicKey],
      sign: tokenSigner(risk.privateKey, "server key"),
      tokenExpireMinutes: 2,
      now: Date.now,
      log: () => undefined,
    },
    { hostname: "127.0.0.1", port: 0 },
  )
  const asker = createAsker({
    servers: [{ address: `http://127.0.0.1:${server.port}/v2/check`, version: 2, publicKey: risk.publicKey }],
    settings: { token_expire_minutes: 2, retry_times: 2, sleep_seconds: 15, request_timeout: 60 },
    sign: tokenSigner(node.privateKey, "node key"),
    askKeyShareSign: false,
    fetch,
    now: Date.now,
    newId: randomUUID,
    observe: () => undefined,
  })
  const signal = new AbortController().signal
  const once = async (n: number): Promise<number> => {
    const start = performance.now()
    const { action, reason } = await asker.ask(taskOf(n), signal)
    if (action !== "approve") throw new Error(reason)
    return performance.now() - start
  }
  try {
    await once(0)
    const single: number[] = []
    for (let i = 1; i <= CALLBACK_ROUNDS; i++) single.push(await once(i))
    const all = performance.now()
    const many = await Promise.all(Array.from({ length: IN_FLIGHT }, (_, i) => once(i)))
    return [
      row("callback, one server", single, 5),
      row(`callback, ${IN_FLIGHT} tasks in flight, each`, many, undefined),
      row(`callback, ${IN_FLIGHT} tasks in flight, all`, [performance.now() - all], undefined),
    ]
  } finally {
    await server.stop(true)
  }
}

const taskOf = (n: number): KeyGenTask => ({
  version: 1,
  type: "KeyGen",
  task_id: `task-${n}`,
  biz_task_id: `biz-${n}`,
  created_ms: 1,
  deadline_ms: 2,
  extra_info: { org: { org_id: "5f0c6a52" } },
  group_id: "OoQGkknsPdPjLCmSuuSf",
  curve: "secp256k1",
  threshold: 2,
  node_ids: ["a", "b", "c"],
})

function row(op: string, times: readonly number[], target: number | undefined): Row {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): number => {
    const ms = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
    return Math.round(ms * 1000) / 1000
  }
  return { op, count: times.length, p50_ms: at(0.5), p99_ms: at(0.99), target_ms: target }
}
