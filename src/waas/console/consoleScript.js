// @ts-check
/**
 * The script of the console: while the page is visible, it asks the listener that served it every two seconds and shows the answers.
 * The helpers that make elements are in panel/kit.js, which is put before this file.
 */

const POLL_MS = 2000
const ANSWER_MS = 4000
const PAGE = 20
const VAULTS = 10
/** The page calls its data old after so long without a message from WaaS. */
const OLD_MS = 5000

/** @type {{ skip: number, vaultSkip: number }} */
const memory = { skip: 0, vaultSkip: 0 }
/** The data that was drawn last, by the id of its element. @type {Map<string, string>} */
const drawn = new Map()
let isPolling = false

// ---- asking ----------------------------------------------------------------------------------------------------------

/** @param {string} path @returns {Promise<Json>} */
async function get(path) {
  const response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) })
  if (response.status === 401) throw new Error("session")
  if (!response.ok) throw new Error((await response.json()).message ?? `HTTP ${response.status}`)
  return response.json()
}

/** @param {string} id */
function chosen(id) {
  const select = byId(id)
  return select instanceof HTMLSelectElement ? select.value : ""
}

function requestsPath() {
  const asked = new URLSearchParams({ skip: String(memory.skip), limit: String(PAGE) })
  for (const name of ["state", "kind", "waits", "vault"]) if (chosen(name) !== "") asked.set(name, chosen(name))
  const find = byId("find")
  const id = find instanceof HTMLInputElement ? find.value.trim() : ""
  if (id !== "") asked.set("find", id)
  return `/requests?${asked}`
}

async function poll() {
  if (isPolling || document.visibilityState === "hidden") return
  isPolling = true
  try {
    const [told, vaults, requests] = await Promise.all([
      get("/overview"),
      get(`/vaults?skip=${memory.vaultSkip}&limit=${VAULTS}`),
      get(requestsPath()),
    ])
    show(told, vaults, requests)
  } catch (error) {
    failed(error instanceof Error ? error : new Error(String(error)))
  } finally {
    isPolling = false
  }
}

/** @param {Error} error */
function failed(error) {
  // The session is over; the login form has the same address.
  if (error.message === "session") return location.assign("/")
  byId("ready").className = "failed"
  say(byId("ready"), error.name === "TimeoutError" || error instanceof TypeError ? "no answer" : error.message)
}

// ---- showing ---------------------------------------------------------------------------------------------------------

/** Draws an element again if its data has changed. @param {string} id @param {unknown} what @param {() => Node[]} draw */
function place(id, what, draw) {
  const stamp = JSON.stringify(what)
  if (drawn.get(id) === stamp) return
  drawn.set(id, stamp)
  byId(id).replaceChildren(...draw())
}

/** @param {Json} told @param {Json} vaults @param {Json} requests */
function show(told, vaults, requests) {
  const { overview, silent_ms: silentMs } = told
  const nowMs = overview.now_ms
  byId("main").hidden = false
  const away = overview.nodes.filter((/** @type {Json} */ node) => node["state"] !== "ready").length
  const isOld = silentMs > OLD_MS
  const isWell = !isOld && overview.items.every((/** @type {Json} */ item) => item["state"] === "ok")
  byId("ready").className = !isWell ? "failed" : away === 0 ? "ok" : "waiting"
  const ready = `${overview.nodes.length - away} of ${several(overview.nodes.length, "node")} ready`
  say(byId("ready"), isOld ? `no word from WaaS for ${span(silentMs)}` : ready)
  document.title = `${away === 0 && isWell ? "●" : "○"} ${overview.organisation} · cosigner WaaS`
  say(byId("who"), `${overview.organisation} · ${overview.url} · ${overview.version}`)
  showFlags(overview, vaults["vaults"])
  showNodes(overview)
  showVaultChoice(vaults["vaults"])
  showRequests(requests, nowMs)
  showVaults(vaults)
  showWebhooks(overview, nowMs)
  showStore(overview, nowMs)
  say(
    byId("foot"),
    `As of ${clock(nowMs)}. Read-only: the newest 500 requests and 200 vaults. What nodes sign, they decide.`,
  )
}

/** @param {string} name @param {string} text */
const mark = (name, text = name) => el("span", { class: `mark ${name.replaceAll(" ", "-")}` }, text)

/** @param {string} id */
const idText = (id) => el("span", { class: "id", title: id }, short(id))

/** Lists what needs an operator's attention. @param {Json} overview @param {Json[]} vaults */
function showFlags(overview, vaults) {
  const stuck = vaults.flatMap((vault) =>
    vault["groups"]
      .filter((/** @type {Json} */ group) => group["status"] === "Valid")
      .flatMap((/** @type {Json} */ group) =>
        keyAlgorithms(group)
          .filter(({ able }) => able < group["threshold"])
          .map(({ algorithm, able }) => ({
            kind: "failed",
            text: `${vault["name"]}: ${group["type"]} cannot sign with ${algorithm}, ${able} of the ${group["threshold"]} nodes that it takes are able.`,
          })),
      ),
  )
  const failing = overview["webhooks"].endpoints
    .filter((/** @type {Json} */ one) => one["active"] && one["failure"] !== "")
    .map((/** @type {Json} */ one) => ({
      kind: "waiting",
      text: `Webhooks to ${one["server"]} fail: ${one["failure"]}`,
    }))
  const own = overview["items"]
    .filter((/** @type {Json} */ item) => item["state"] !== "ok")
    .map((/** @type {Json} */ item) => ({ kind: "failed", text: `${item["code"]} ${item["reason"]}; ${item["next"]}` }))
  const asked = overview["awaiting_people"]
  const people =
    asked === 0
      ? []
      : [
          {
            kind: "waiting",
            text: `${several(asked, "request")} ${asked === 1 ? "waits" : "wait"} for approvals by people.`,
          },
        ]
  const flags = [...own, ...stuck, ...people, ...failing].slice(0, 10)
  place("flags", flags, () => flags.map(({ kind, text }) => el("li", { class: kind }, text)))
}

/** @param {Json} group @returns {{ algorithm: string, able: number, missing: string[] }[]} */
const keyAlgorithms = (group) => group["keys"].flatMap((/** @type {Json} */ key) => key["algorithms"])

/** @param {Json} overview */
function showNodes(overview) {
  const nodes = /** @type {Json[]} */ (overview["nodes"])
  const rest = overview["nodes_left_out"]
  // silent_ms changes every second and would cause needless drawing; the node's state says what matters.
  const what = nodes.map(({ silent_ms, ...node }) => node)
  place("nodes", [what, rest], () =>
    nodes.length === 0
      ? [el("li", { class: "quiet" }, "none yet: they come with the first key share holder group")]
      : [
          ...nodes.map(nodeLine),
          ...(rest > 0 ? [el("li", { class: "quiet" }, `and ${several(rest, "node")} more`)] : []),
        ],
  )
}

/** @param {Json} node */
function nodeLine(node) {
  const { names, state, code, reason, blocked, refresh, asked, running } = node
  const words = state === "ready" ? `${several(asked, "task")}, ${several(running, "session")}` : reason
  return el(
    "li",
    {},
    mark(state),
    el(
      "span",
      {},
      ...(names.length > 0 ? [el("span", { class: "name" }, `${names.join(", ")} `)] : []),
      idText(node["node_id"]),
    ),
    el("span", { class: "why" }, ...(code === "" ? [] : [el("code", {}, code), " "]), words),
    el(
      "span",
      { class: "quiet" },
      node["link"] === 0 ? "" : `link version ${node["link"]}, ${several(node["starts"], "start")}`,
    ),
    ...(blocked.length + refresh.length === 0
      ? []
      : [
          el(
            "div",
            { class: "next" },
            ...blocked.map((/** @type {Json} */ one) =>
              el("p", {}, `${one["algorithm"]} is blocked in ${short(one["group_id"])}: `, el("code", {}, one["code"])),
            ),
            ...refresh.map((/** @type {string} */ id) => el("p", {}, `it wants a refresh of ${short(id)}`)),
          ),
        ]),
  )
}

// ---- requests --------------------------------------------------------------------------------------------------------

/** Fills the choice of vaults and keeps the selected one. @param {Json[]} vaults */
function showVaultChoice(vaults) {
  const select = byId("vault")
  if (!(select instanceof HTMLSelectElement) || document.activeElement === select) return
  const known = new Map([...select.options].map((option) => [option.value, option]))
  for (const { vault_id, name } of vaults) {
    const option = known.get(vault_id)
    if (option === undefined) select.append(el("option", { value: vault_id }, name))
    else say(option, name)
  }
}

/** @param {Json} answer @param {number} nowMs */
function showRequests(answer, nowMs) {
  const list = /** @type {Json[]} */ (answer["requests"])
  const how = { idName: "id", skip: memory.skip, nextSkip: answer["next_skip"], draw: requestRow }
  const shown = showRows("requests", list, how)
  for (const [i, request] of list.entries()) {
    const took = shown[i]?.querySelector(".took")
    if (took instanceof HTMLElement) say(took, tookText(request, nowMs))
  }
}

/** @param {Json} request @param {number} nowMs */
const tookText = (request, nowMs) =>
  request["state"] === "open"
    ? `${span(nowMs - request["created_ms"])} so far`
    : `took ${span(request["updated_ms"] - request["created_ms"])}`

/** @param {Json} request */
function requestRow(request) {
  const { state, status, what, vault, tasks } = request
  const row = /** @type {HTMLTableRowElement} */ (el("tr", state === "open" ? { class: "open" } : {}))
  const count = request["messages"] > 1 ? ` × ${request["messages"]}` : ""
  row.append(
    el(
      "th",
      { scope: "row" },
      el("span", { class: "what" }, `${what}${count}`),
      idText(request["id"]),
      el(
        "p",
        { class: "quiet" },
        [vault, ...request["paths"], request["request_id"]].filter((one) => one !== "").join(" · "),
      ),
      ...intentLines(request["intents"]),
      ...(request["unread"] === "" ? [] : [el("p", { class: "quiet" }, `not in words: ${request["unread"]}`)]),
      ...transactionLine(request["transaction"]),
      ...(request["description"] === ""
        ? []
        : [el("p", { class: "quiet" }, `the caller says: ${request["description"]}`)]),
    ),
    el(
      "td",
      {},
      mark(state),
      ...(status.toLowerCase() === state ? [] : [el("span", { class: "quiet" }, ` ${status}`)]),
      ...whyLines(request),
    ),
    el("td", {}, ...tasks.map((/** @type {Json} */ task) => nodesCell(task))),
    el("td", { class: "number" }, clock(request["created_ms"]), el("p", { class: "quiet took" })),
  )
  return row
}

/** Why the request ended as it did, or which nodes keep it from going on. @param {Json} request */
function whyLines(request) {
  const refusals = request["tasks"]
    .flatMap((/** @type {Json} */ task) => task["nodes"])
    .filter((/** @type {Json} */ node) => node["said"] === "refused" || node["said"] === "failed")
    .map((/** @type {Json} */ node) =>
      el(
        "p",
        { class: node["said"] === "refused" ? "refusal" : "failure" },
        `${nameOf(node)} ${node["said"]}: `,
        el("code", {}, node["code"]),
        ` ${node["reason"]}`,
      ),
    )
  const code = request["code"]
  const reason = code === "" ? [] : [el("p", { class: "why" }, el("code", {}, code), ` ${request["reason"]}`)]
  const waits = request["waiting_for"]
    // The lines below show what nodes wait for from people, once for all nodes.
    .filter((/** @type {string} */ text) => !text.includes("(waits for "))
    .map((/** @type {string} */ text) => el("p", { class: "waits" }, `waits for ${text}`))
  const people = request["tasks"]
    .flatMap((/** @type {Json} */ task) => task["awaits"])
    .map((/** @type {Json} */ { text, nodes }) =>
      el("p", { class: "people" }, `waits for people: ${text}, at ${nodes.join(", ")}`),
    )
  return [...refusals, ...(refusals.length > 0 ? [] : reason), ...people, ...waits]
}

/** @param {Json | null} transaction */
function transactionLine(transaction) {
  if (transaction === null) return []
  const { type, chain, status, hash } = transaction
  return [el("p", { class: "quiet" }, `${type} on ${chain}, ${status} `, ...(hash === "" ? [] : [idText(hash)]))]
}

/** @param {Json} node */
const nameOf = (node) => (node["name"] === "" ? short(node["node_id"]) : node["name"])

const YES = ["approved", "signing", "done"]

/** @param {Json} task */
function nodesCell(task) {
  const { nodes, needed, attempt, causes } = task
  const yes = nodes.filter((/** @type {Json} */ node) => YES.includes(node["said"])).length
  const attempts = attempt > 1 ? `, attempt ${attempt}` : ""
  return el(
    "details",
    {},
    el(
      "summary",
      {},
      `${yes} of ${needed} said yes${needed === nodes.length ? "" : `, of ${nodes.length}`}${attempts}`,
    ),
    el(
      "ul",
      { class: "answers" },
      ...nodes.map((/** @type {Json} */ node) =>
        el(
          "li",
          {},
          mark(node["said"] === "approved" ? "approved-by" : node["said"], node["said"]),
          el(
            "span",
            { class: "why", title: node["node_id"] },
            nameOf(node),
            ...(node["code"] === "" ? [] : [" ", el("code", {}, node["code"])]),
            node["reason"] === "" ? "" : ` ${node["reason"]}`,
          ),
        ),
      ),
    ),
    ...task["people"].map((/** @type {Json} */ { approver, decision, not_after_ms: untilMs }) =>
      el("p", { class: "quiet" }, `${approver}: ${decision}, until ${clock(untilMs)}`),
    ),
    el("p", { class: "quiet" }, "task ", idText(task["task_id"])),
    ...causes.map((/** @type {string} */ cause) => el("p", { class: "quiet" }, cause)),
  )
}

// ---- vaults ----------------------------------------------------------------------------------------------------------

/** @param {Json} answer */
function showVaults(answer) {
  const vaults = /** @type {Json[]} */ (answer["vaults"])
  place("vaults", vaults, () =>
    vaults.length === 0 ? [el("p", { class: "quiet" }, "none yet")] : vaults.map(vaultBlock),
  )
  const skip = memory.vaultSkip
  say(byId("vaults-page"), `${skip + 1} to ${skip + vaults.length}`)
  byId("vaults-tools").hidden = skip === 0 && answer["next_skip"] === null
  setDisabled("vaults-newer", skip === 0)
  setDisabled("vaults-older", answer["next_skip"] === null)
}

/** @param {Json} vault */
function vaultBlock(vault) {
  const groups = /** @type {Json[]} */ (vault["groups"])
  return el(
    "div",
    { class: "vault" },
    el("h3", {}, `${vault["name"]} `, el("span", { class: "quiet" }, `${vault["type"]}, `, idText(vault["vault_id"]))),
    ...(groups.length === 0 ? [el("p", { class: "quiet" }, "no group yet")] : groups.map(groupBlock)),
  )
}

/** @param {Json} group */
function groupBlock(group) {
  const { type, status, threshold, holders, keys } = group
  const names = holders.map((/** @type {Json} */ holder) => nameOf(holder)).join(", ")
  return el(
    "div",
    { class: "group" },
    el(
      "p",
      {},
      el("strong", {}, type),
      ` ${threshold} of ${holders.length}: ${names} `,
      mark("quiet", status.toLowerCase()),
    ),
    ...keys.map((/** @type {Json} */ key) => keyLine(key, group)),
  )
}

/** @param {Json} key @param {Json} group */
function keyLine(key, group) {
  const epoch =
    key["epoch_id"] === "" ? "first epoch" : `epoch ${key["epoch_id"].slice(0, 12)}… of ${clock(key["epoch_ms"])}`
  return el(
    "div",
    { class: "key" },
    el("span", { class: "quiet" }, `${key["curve"]}, group ${short(key["share_group_id"])}, ${epoch} `),
    ...key["algorithms"].flatMap((/** @type {Json} */ { algorithm, able, missing }) => {
      const total = group["holders"].length
      const state = able < group["threshold"] ? "away" : able < total ? "later" : "ready"
      return [
        mark(state, `${algorithm} ${able} of ${total}`),
        " ",
        ...(missing.length === 0 ? [] : [el("span", { class: "why quiet" }, `${missing.join("; ")} `)]),
      ]
    }),
  )
}

// ---- webhooks and store ----------------------------------------------------------------------------------------------

/** @param {Json} overview @param {number} nowMs */
function showWebhooks(overview, nowMs) {
  const { hosts, endpoints } = overview["webhooks"]
  const none =
    hosts.length === 0 ? "off: waas.webhooks.hosts names no host" : `no endpoint; allowed are ${hosts.join(", ")}`
  byId("webhooks").replaceChildren(
    ...(endpoints.length === 0
      ? [el("li", { class: "quiet" }, none)]
      : endpoints.map((/** @type {Json} */ one) => endpointLine(one, nowMs))),
  )
}

/** @param {Json} endpoint @param {number} nowMs */
function endpointLine(endpoint, nowMs) {
  const { active, failure, last_ms: lastMs, waiting, failed, server, description } = endpoint
  const state = !active ? "off" : failure !== "" ? "failing" : lastMs === null ? "unheard" : "ok"
  const kind = { off: "off", failing: "failed", unheard: "asked", ok: "done" }[state]
  const last = lastMs === null ? "nothing was sent yet" : `last delivery ${span(nowMs - lastMs)} ago`
  const words = failure === "" ? last : `${last}: ${failure}`
  return el(
    "li",
    {},
    mark(kind, state),
    el("span", {}, el("span", { class: "id" }, server), description === "" ? "" : ` ${description}`),
    el("span", { class: "why" }, words),
    el("span", { class: "quiet" }, `${waiting} waiting, ${failed} given up`),
  )
}

/** @param {Json} overview @param {number} nowMs */
function showStore(overview, nowMs) {
  const { store, replicas } = overview
  const facts = [
    ["Kind", store.kind],
    ["Size", store.bytes === null ? "not known" : size(store.bytes)],
    [
      "Last commit",
      store.last_commit_ms === null ? "none since the start" : `${span(nowMs - store.last_commit_ms)} ago`,
    ],
    ["Integrity", store.checked_ms === null ? "not checked at this start" : `checked ${clock(store.checked_ms)}`],
    ...overview["items"].map((/** @type {Json} */ item) => [
      item["name"] === "store" ? "Takes writes" : "Newest copy",
      item["state"] === "ok" ? "yes" : `no: ${item["code"]}`,
    ]),
    ["Open requests", overview["open_requests"]],
    ["Thread delay p99", `${overview["event_loop"].p99_ms.toFixed(1)} ms`],
    ["Running for", span(nowMs - overview["started_ms"])],
    ["Place", store.place, true],
    ["Public key for nodes", overview["public_key"], true],
  ]
  byId("facts").replaceChildren(
    ...facts.map(([name, value, isCode]) =>
      el("div", {}, el("dt", {}, name), el("dd", { class: isCode === true ? "id" : "" }, String(value))),
    ),
  )
  byId("replicas").replaceChildren(
    ...(replicas.length === 0
      ? [el("li", { class: "quiet" }, "no replica: this process serves alone")]
      : replicas.map((/** @type {Json} */ one) =>
          el(
            "li",
            {},
            mark(one["serves"] ? "ready" : "quiet", one["serves"] ? "serves" : "served"),
            el("span", { class: "id" }, `${one["id"]}: ${one["name"]}`),
            el(
              "span",
              { class: "quiet" },
              [one["is_this"] ? "this one" : "", one["leads"] ? "leads" : ""].filter((word) => word !== "").join(", "),
            ),
            el("span", { class: "quiet" }, `heard ${span(nowMs - one["seen_ms"])} ago`),
          ),
        )),
  )
}

// ---- start -----------------------------------------------------------------------------------------------------------

/** @param {number} skip */
function turnTo(skip) {
  memory.skip = Math.max(0, skip)
  void poll()
}
/** @param {number} skip */
function turnVaultsTo(skip) {
  memory.vaultSkip = Math.max(0, skip)
  void poll()
}

for (const id of ["state", "kind", "waits", "vault"]) byId(id).addEventListener("change", () => turnTo(0))
byId("find").addEventListener("input", () => turnTo(0))
byId("newer").addEventListener("click", () => turnTo(memory.skip - PAGE))
byId("older").addEventListener("click", () => turnTo(memory.skip + PAGE))
byId("vaults-newer").addEventListener("click", () => turnVaultsTo(memory.vaultSkip - VAULTS))
byId("vaults-older").addEventListener("click", () => turnVaultsTo(memory.vaultSkip + VAULTS))
document.addEventListener("visibilitychange", () => void poll())
setInterval(() => void poll(), POLL_MS)
void poll()
