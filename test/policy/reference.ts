/**
 * A second evaluator of the embedded rules: slow, obvious, and written from the description alone. It reads the raw TOML
 * table itself, shares no code with src/policy, and answers no more than approve or reject and the debits.
 */

type Raw = Record<string, unknown>

export interface ReferenceRequest {
  readonly type: string
  readonly [key: string]: unknown
}

export interface ReferenceAnswer {
  readonly approve: boolean
  /** Names of the rules that deny, sorted. */
  readonly denied: string[]
  readonly debits: Record<string, number>
}

export function reference(
  table: Raw,
  request: ReferenceRequest,
  log: { counter: string; atMs: number; amount: number }[],
  nowMs: number,
): ReferenceAnswer {
  if (table["enable"] !== true) return { approve: true, denied: [], debits: {} }
  const section = table[request.type] as Raw | undefined
  if (section === undefined) return { approve: false, denied: [request.type], debits: {} }
  const denied: string[] = []
  const debits: Record<string, number> = {}
  const no = (rule: string) => denied.push(`${request.type}.${rule}`)
  const get = (key: string) => request[key] as never
  const written = (key: string) => section[key] as string[] | undefined

  if (section["reject_all"] === true) no("reject_all")

  if (request.type === "key_gen") {
    let found = false
    for (const entry of (section["allow_list"] as Raw[] | undefined) ?? []) {
      if (entry["threshold"] === get("threshold") && sorted(entry["node_ids"]) === sortedExactly(get("nodeIds")))
        found = true
    }
    if (!found) no("allow_list")
  }
  if (request.type === "key_reshare") {
    let found = false
    for (const entry of (section["allow_list"] as Raw[] | undefined) ?? []) {
      if (entry["xpubkey"] !== get("rootPubKey")) continue
      if (entry["new_threshold"] !== get("newThreshold")) continue
      if (sorted(entry["new_node_ids"]) === sortedExactly(get("newNodeIds"))) found = true
    }
    if (!found) no("allow_list")
  }

  const groups = written("allowed_groups")
  if (groups !== undefined) {
    const used: string[] =
      request.type === "key_sign"
        ? [get("groupId")]
        : request.type === "key_reshare"
          ? [get("oldGroupId")]
          : get("groupIds")
    if (used.length === 0) no("allowed_groups")
    else
      for (const group of used)
        if (!groups.includes(group)) {
          no("allowed_groups")
          break
        }
  }
  const roots = written("allowed_root_keys")
  if (roots !== undefined && !roots.includes(get("rootPubKey"))) no("allowed_root_keys")
  const types = written("signature_types")
  if (types !== undefined && !types.includes(get("signatureType"))) no("signature_types")
  const curves = written("curves")
  if (curves !== undefined && !curves.includes(get("curve"))) no("curves")

  const messages = (request["messages"] as { path: number[] }[] | undefined) ?? []
  const patterns = written("allowed_paths")
  if (patterns !== undefined) {
    for (const { path } of messages) {
      if (!patterns.some((pattern) => pathMatches(pattern, ["m", ...path].join("/")))) {
        no("allowed_paths")
        break
      }
    }
  }
  const batch = section["max_batch"] as number | undefined
  const size =
    request.type === "key_sign" ? messages.length : ((request["groupIds"] as string[] | undefined) ?? []).length
  if (batch !== undefined && size > batch) no("max_batch")

  const used = (request["usedNodeIds"] as string[] | undefined) ?? []
  const must = written("required_node_ids")
  if (must !== undefined && (must.length === 0 || !must.every((node) => used.includes(node)))) no("required_node_ids")
  const mustNot = written("forbidden_node_ids")
  if (mustNot?.some((node) => used.includes(node))) no("forbidden_node_ids")

  const windows = section["time_windows"] as Raw[] | undefined
  if (windows !== undefined && !windows.some((window) => windowOpen(window, nowMs))) no("time_windows")

  const wanted = written("extra_info_present")
  if (wanted !== undefined && !wanted.every((name) => presentIn(request["extraInfo"], name))) no("extra_info_present")

  for (const limit of (section["limits"] as Raw[] | undefined) ?? []) {
    const prefix = String(limit["path_prefix"] ?? "")
    let counter = "sign/all"
    let amount = messages.length
    if (limit["per"] === "group") counter = `sign/key/${get("rootKey")}`
    if (limit["per"] === "path_prefix") {
      counter = `sign/path/${prefix}`
      amount = messages.filter(({ path }) => `${["m", ...path].join("/")}/`.startsWith(`${prefix}/`)).length
    }
    if (amount === 0) continue
    const hours = { "1h": 1, "24h": 24, "1d": 24, "7d": 168 }[String(limit["window"])] ?? Number.NaN
    let sum = 0
    for (const row of log) if (row.counter === counter && row.atMs >= nowMs - hours * 3_600_000) sum += row.amount
    if (sum + amount > (limit["max"] as number)) no(`limits.${limit["name"]}`)
    debits[counter] = amount
  }
  const approve = denied.length === 0
  return { approve, denied: denied.sort(), debits: approve ? debits : {} }
}

const sorted = (list: unknown): string => JSON.stringify([...new Set(list as string[])].sort())
const sortedExactly = (list: string[]): string => JSON.stringify([...list].sort())

/** Turns the pattern into a regular expression over the text of the path; ranges by counting through them. */
function pathMatches(pattern: string, path: string): boolean {
  const source = pattern
    .split("/")
    .map((level, i, all) => {
      if (level === "**" && i === all.length - 1) return "(/[0-9]+)*"
      const text =
        level === "m" ? "m" : level === "*" ? "[0-9]+" : level.includes("-") ? `(${counted(level).join("|")})` : level
      return i === 0 ? text : `/${text}`
    })
    .join("")
  return new RegExp(`^${source}$`).test(path)
}

function counted(range: string): number[] {
  const [from = 0, to = 0] = range.split("-").map(Number)
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

/** Through the text of a whole date, not through its parts. */
function windowOpen(window: Raw, nowMs: number): boolean {
  const text = new Date(nowMs).toLocaleString("en-GB", {
    timeZone: String(window["zone"]),
    weekday: "long",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  })
  const day = text.slice(0, 3).toLowerCase()
  const time = (/\d\d:\d\d/.exec(text)?.[0] ?? "").replace(/^24/, "00")
  const days = (window["days"] as string[] | undefined) ?? ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
  return days.includes(day) && time >= String(window["from"] ?? "00:00") && time < String(window["to"] ?? "24:00")
}

function presentIn(info: unknown, dotted: string): boolean {
  let at = info as never
  for (const key of dotted.split(".")) {
    if (at === null || typeof at !== "object" || Array.isArray(at) || !(key in (at as Raw))) return false
    at = (at as Raw)[key] as never
  }
  return !["null", "undefined", '""', "{}", "[]"].includes(String(JSON.stringify(at)))
}
