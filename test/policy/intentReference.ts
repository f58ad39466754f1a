/**
 * A second judge of intents: slow, obvious, written from the description alone. It reads the raw TOML tables, shares no code with
 * src/policy, keeps every approved task, and adds everything up anew for every question.
 */
import type { Effect, Reading } from "../../src/intent/reading.ts"
import type { KeySignRequest } from "../../src/policy/request.ts"

type Raw = Record<string, unknown>
type Rows = readonly Raw[]

export interface Approved {
  readonly request: KeySignRequest
  readonly atMs: number
}

const NATIVE: Record<string, [string, number]> = {
  "eip155:1/slip44:60": ["ETH", 18],
  "eip155:10/slip44:60": ["ETH", 18],
  "eip155:8453/slip44:60": ["ETH", 18],
  "eip155:42161/slip44:60": ["ETH", 18],
  "bip122:000000000019d6689c085ae165831e93/slip44:0": ["BTC", 8],
}

const rows = (table: Raw, key: string): Rows | undefined => table[key] as Rows | undefined
const texts = (row: Raw, key: string): readonly string[] | undefined => row[key] as string[] | undefined

export class Reference {
  readonly approved: Approved[] = []
  readonly decimals = new Map<string, number>()
  readonly idsByName = new Map<string, string[]>()

  constructor(
    readonly section: Raw,
    readonly intent: Raw,
  ) {
    for (const [id, [name, decimals]] of Object.entries(NATIVE)) this.list(name, id, decimals)
    for (const row of rows(intent, "assets") ?? [])
      this.list(String(row["name"]), String(row["id"]), Number(row["decimals"]))
  }

  list(name: string, id: string, decimals: number): void {
    this.decimals.set(id, decimals)
    this.idsByName.set(name, [...(this.idsByName.get(name) ?? []), id])
  }

  ids(text: string): readonly string[] {
    return text.includes("/") ? [text] : (this.idsByName.get(text) ?? [])
  }

  /** By asset; undefined is no bound. */
  amounts(list: readonly string[]): Map<string, bigint | undefined> {
    const out = new Map<string, bigint | undefined>()
    for (const text of list) {
      const [number = "", unit = ""] = text.split(" ")
      for (const id of this.ids(unit)) {
        const [whole = "", fraction = ""] = number.split(".")
        const decimals = this.decimals.get(id) ?? 0
        out.set(id, number === "any" ? undefined : BigInt(whole + fraction.padEnd(decimals, "0")))
      }
    }
    return out
  }

  /** Names of the rules that refuse, sorted. */
  judge(request: KeySignRequest, nowMs: number): string[] {
    const refusing: string[] = []
    const allow = rows(this.section, "allow")
    const deny = rows(this.section, "deny") ?? []
    const limits = rows(this.section, "limits") ?? []
    if (allow !== undefined && !request.intents.every((one) => this.isCovered(allow, one, request)))
      refusing.push("allow")
    if (
      request.intents.some((one) =>
        one.reading.effects.some((effect) => deny.some((row) => this.denies(row, effect, one, request))),
      )
    )
      refusing.push("deny")
    const asks = allow !== undefined || deny.length > 0 || limits.some((row) => row["asset"] !== undefined)
    const blind = texts(this.section, "blind_paths") ?? []
    const unread = request.messages.filter(({ payload }) => payload === undefined)
    if (asks && !unread.every(({ path }) => blind.includes(["m", ...path].join("/")))) refusing.push("blind_paths")
    for (const row of limits) {
      if (row["asset"] === undefined) {
        if (this.countsBeyond(row, request, nowMs)) refusing.push(`limits.${row["name"]}`)
      } else if (this.amountsBeyond(row, request, nowMs)) refusing.push(`limits.${row["name"]}`)
    }
    return refusing.sort()
  }

  // ---- entries

  isCovered(allow: Rows, intent: KeySignRequest["intents"][number], request: KeySignRequest): boolean {
    const { effects, fee } = intent.reading
    const covers = (row: Raw, effect: Effect) => this.covers(row, effect, intent, request)
    const covered = effects.map((effect) => allow.some((row) => covers(row, effect)))
    const complete = effects.map((effect, i) => {
      if (covered[i]) return true
      if (effect.kind === "memo")
        return allow.some((row) => row["memo"] === "any" && effects.some((e) => e.kind !== "memo" && covers(row, e)))
      if (effect.kind !== "call") return false
      return effects.some((other, j) => covered[j] && this.isTheTransferOf(other, effect, intent.reading))
    })
    if (!complete.every((is) => is)) return false
    if (fee.max === 0n && !fee.unbounded) return true
    return allow.some((row) => {
      if (fee.unbounded && row["unbounded_fee"] !== true) return false
      if (fee.max > 0n || fee.unbounded) {
        const list = texts(row, "max_fee")
        if (list === undefined) return false
        const bounds = this.amounts(list)
        const bound = bounds.get(fee.asset)
        if (bounds.has(fee.asset) ? bound !== undefined && fee.max > bound : !list.includes("any")) return false
      }
      return effects.some((effect) => covers(row, effect))
    })
  }

  isTheTransferOf(other: Effect, call: Effect & { kind: "call" }, reading: Reading): boolean {
    if (other.kind !== "transfer" || typeof other.asset !== "string" || typeof call.to !== "string") return false
    if (!this.decimals.has(other.asset) || typeof other.to !== "string") return false
    if (other.asset !== `${reading.chain}/erc20:${call.to.toLowerCase()}`) return false
    const hex = Buffer.from(call.data).toString("hex")
    const pad = (digits: string) => digits.padStart(64, "0")
    return hex === `a9059cbb${pad(other.to.slice(2).toLowerCase())}${pad(other.amount.toString(16))}`
  }

  covers(
    row: Raw,
    effect: Effect,
    { reading, accounts }: KeySignRequest["intents"][number],
    request: KeySignRequest,
  ): boolean {
    if (!texts(row, "effects")?.includes(effect.kind)) return false
    const chain = effect.kind === "delegate_7702" ? effect.chain : reading.chain
    const chains = texts(row, "chains")
    if (chains !== undefined ? !chains.includes(reading.chain) || !chains.includes(chain) : chain !== reading.chain)
      return false
    if (chains === undefined && reading.chain === "eip155:*") return false
    const assets = texts(row, "assets")?.flatMap((text) => this.ids(text))
    if ("asset" in effect) {
      if (typeof effect.asset !== "string") return false
      if (assets === undefined ? !this.decimals.has(effect.asset) : !assets.includes(effect.asset)) return false
    } else if (assets !== undefined) return false
    const to = texts(row, "to")
    if (to !== undefined && !this.goesTo(to, effect, chain, accounts)) return false
    const bounds = texts(row, "max_amount")
    if (bounds !== undefined) {
      if (!("amount" in effect) || typeof effect.asset !== "string") return false
      const all = this.amounts(bounds)
      const bound = all.get(effect.asset)
      if (!all.has(effect.asset) || (bound !== undefined && effect.amount > bound)) return false
    }
    const fees = texts(row, "max_fee")
    if (fees !== undefined && reading.fee.max > 0n && !fees.includes("any")) {
      const all = this.amounts(fees)
      const bound = all.get(reading.fee.asset)
      if (!all.has(reading.fee.asset) || (bound !== undefined && reading.fee.max > bound)) return false
    }
    const paths = texts(row, "paths")
    if (paths !== undefined && !reading.signs.every(({ path }) => paths.includes(["m", ...(path ?? [])].join("/"))))
      return false
    const who = texts(row, "initiators")
    return who === undefined || who.includes(String(initiatorOf(request)))
  }

  goesTo(
    list: readonly string[],
    effect: Effect,
    chain: string,
    accounts: KeySignRequest["intents"][number]["accounts"],
    denies = false,
  ) {
    const target = targetOf(effect)
    if (typeof target !== "string") return false
    const path = accounts.get(target)?.ownPath
    for (const text of list) {
      if (text.startsWith("@own:")) {
        if (path !== undefined && text === `@own:${["m", ...path].join("/")}`) return true
      } else if (text.startsWith("@")) {
        for (const row of [...(rows(this.intent, "addresses") ?? []), ...(rows(this.intent, "contracts") ?? [])]) {
          if (row["name"] !== text.slice(1) || (row["chain"] !== chain && !(denies && chain === "eip155:*"))) continue
          if (String(row["address"] ?? "").toLowerCase() === target.toLowerCase()) return true
          if (path !== undefined && row["path"] === ["m", ...path].join("/")) return true
        }
      } else if (text.toLowerCase() === target.toLowerCase()) return true
    }
    return false
  }

  denies(row: Raw, effect: Effect, intent: KeySignRequest["intents"][number], request: KeySignRequest): boolean {
    const kinds = texts(row, "effects")
    if (kinds !== undefined && !kinds.includes(effect.kind)) return false
    const assets = texts(row, "assets")?.flatMap((text) => this.ids(text))
    if (assets !== undefined && "asset" in effect && typeof effect.asset === "string" && !assets.includes(effect.asset))
      return false
    const to = texts(row, "to")
    const chain = effect.kind === "delegate_7702" ? effect.chain : intent.reading.chain
    if (
      to !== undefined &&
      typeof targetOf(effect) === "string" &&
      !this.goesTo(to, effect, chain, intent.accounts, true)
    )
      return false
    const who = texts(row, "initiators")
    const initiator = initiatorOf(request)
    return who === undefined || initiator === undefined || who.includes(initiator)
  }

  // ---- limits

  countsBeyond(row: Raw, request: KeySignRequest, nowMs: number): boolean {
    const since = nowMs - hoursOf(row) * 3_600_000
    const used = this.approved
      .filter(({ atMs, request: past }) => atMs >= since && (row["per"] === "all" || past.rootKey === request.rootKey))
      .reduce((sum, past) => sum + past.request.messages.length, 0)
    return used + request.messages.length > Number(row["max"])
  }

  amountsBeyond(row: Raw, request: KeySignRequest, nowMs: number): boolean {
    const ids = this.ids(String(row["asset"]))
    const max = [...this.amounts([String(row["max_amount"])]).values()][0] ?? 0n
    const since = nowMs - hoursOf(row) * 3_600_000
    let scopes: Set<string>
    try {
      scopes = new Set(
        request.intents.flatMap(({ reading, accounts }) =>
          this.takes(row, ids, reading, accounts).map(({ scope }) => scope),
        ),
      )
    } catch {
      return true
    }
    for (const scope of scopes) {
      let total = 0n
      for (const id of ids) {
        // Every transaction that took something, in the order of approvals, the present ones last.
        const groups: { name: string; amount: bigint; latest: number }[] = []
        for (const { request: past, atMs } of [...this.approved, { request, atMs: nowMs }]) {
          if (row["per"] === "group" && past.rootKey !== request.rootKey) continue
          for (const { reading, accounts } of past.intents) {
            const amount = this.takes(row, ids, reading, accounts)
              .filter((one) => one.scope === scope && one.id === id)
              .reduce((sum, one) => sum + one.amount, 0n)
            if (amount === 0n) continue
            const names = namesOf(reading)
            const known = groups.find(
              ({ name }) => names.includes(name) && names.find((n) => groups.some((g) => g.name === n)) === name,
            )
            if (known === undefined) groups.push({ name: names[0] ?? `alone ${groups.length}`, amount, latest: atMs })
            else {
              known.amount = known.amount > amount ? known.amount : amount
              known.latest = Math.max(known.latest, atMs)
            }
          }
        }
        for (const { amount, latest } of groups) if (latest >= since) total += amount
      }
      if (total > max) return true
    }
    return false
  }

  takes(row: Raw, ids: readonly string[], reading: Reading, accounts: KeySignRequest["intents"][number]["accounts"]) {
    const out: { scope: string; id: string; amount: bigint }[] = []
    const own = (account: unknown) => typeof account === "string" && accounts.get(account)?.ownPath !== undefined
    for (const effect of reading.effects) {
      if (effect.kind === "close_account" && ids.includes(reading.fee.asset) && !own(effect.to))
        throw new Error("unknown")
      if (effect.kind !== "transfer" && effect.kind !== "approve" && effect.kind !== "permit") continue
      if (effect.kind === "transfer" ? own(effect.to) : row["approvals"] === false) continue
      if (typeof effect.asset !== "string") throw new Error("unknown")
      if (!ids.includes(effect.asset)) continue
      const to = targetOf(effect)
      const scopes: unknown[] =
        row["per"] === "destination"
          ? [to]
          : row["per"] === "source"
            ? typeof effect.from === "string" && reading.from.includes(effect.from)
              ? [...reading.from]
              : [effect.from]
            : [""]
      for (const scope of scopes) {
        if (typeof scope !== "string") throw new Error("unknown")
        out.push({ scope, id: effect.asset, amount: effect.amount })
      }
    }
    if (ids.includes(reading.fee.asset) && reading.fee.max > 0n) {
      const targets = [...new Set(reading.effects.map(targetOf).filter((to) => typeof to === "string"))] as string[]
      const scopes =
        row["per"] === "destination"
          ? targets.length === 0
            ? ["nobody"]
            : targets
          : row["per"] === "source"
            ? reading.from
            : [""]
      for (const scope of scopes) out.push({ scope, id: reading.fee.asset, amount: reading.fee.max })
    }
    return out
  }
}

const hoursOf = (row: Raw): number => ({ "1h": 1, "24h": 24, "7d": 168 })[String(row["window"])] ?? Number.NaN

function initiatorOf({ extraInfo }: KeySignRequest): string | undefined {
  return (extraInfo as { transaction?: { initiator?: string } }).transaction?.initiator
}

function targetOf(effect: Effect): unknown {
  const named: Raw = { ...effect }
  if (["memo", "message", "self"].includes(effect.kind)) return undefined
  return named["spender"] ?? named["delegate"] ?? named["authority"] ?? named["to"]
}

function namesOf({ format, chain, from, nonce = "" }: Reading): readonly string[] {
  if (nonce === "") return []
  if (format === "bitcoin/psbt")
    return nonce
      .split(" ")
      .map((outpoint) => `${chain} ${outpoint}`)
      .sort()
  return format === "evm/transaction" ? [`${chain} ${from[0]} ${nonce}`] : []
}
