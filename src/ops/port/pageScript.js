// @ts-check
/**
 * The script of the status page: asks the port it came from, every two seconds while the page is seen, and shows the
 * answers. What makes its elements is panel/kit.js, which stands before it.
 */

const POLL_MS = 2000
const ANSWER_MS = 4000
const GROUPS_EVERY = 5
const PAGE = 20
const ALGORITHMS = /** @type {Record<string, string>} */ ({ 1: "ECDSA", 2: "EdDSA", 3: "BIP-340" })

/** @type {{ token: string, skip: number, polls: number, groups: Json[] }} */
const memory = { token: "", skip: 0, polls: 0, groups: [] }
let isPolling = false
let isLocked = false

// ---- asking ----------------------------------------------------------------------------------------------------------

/** @param {string} path @returns {Promise<Json>} */
async function get(path) {
  /** @type {Record<string, string>} */
  const headers = memory.token === "" ? {} : { authorization: `Bearer ${memory.token}` }
  const response = await fetch(path, { headers, cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) })
  if (response.status === 401) throw new Error("token")
  if (!response.ok) throw new Error((await response.json()).message ?? `HTTP ${response.status}`)
  return response.json()
}

function tasksPath() {
  const asked = new URLSearchParams({ skip: String(memory.skip), limit: String(PAGE) })
  for (const name of ["state", "type"]) {
    const select = byId(name)
    if (select instanceof HTMLSelectElement && select.value !== "") asked.set(name, select.value)
  }
  return `/tasks?${asked}`
}

async function poll() {
  if (isPolling || isLocked || document.visibilityState === "hidden") return
  isPolling = true
  try {
    const wantsGroups = memory.polls++ % GROUPS_EVERY === 0
    const [status, history, tasks, groups] = await Promise.all([
      get("/status"),
      get("/history"),
      get(tasksPath()),
      wantsGroups ? get("/groups") : undefined,
    ])
    if (groups !== undefined) memory.groups = groups["groups"]
    show(status, history, tasks)
  } catch (error) {
    failed(error instanceof Error ? error : new Error(String(error)))
  } finally {
    isPolling = false
  }
}

/** @param {Error} error */
function failed(error) {
  if (error.message === "token") {
    isLocked = true
    byId("login").hidden = false
    byId("main").hidden = true
    byId("ready").className = "waiting"
    say(byId("ready"), memory.token === "" ? "locked" : "the token was not taken")
    byId("token").focus()
    return
  }
  byId("ready").className = "failed"
  say(byId("ready"), error.name === "TimeoutError" || error instanceof TypeError ? "no answer" : error.message)
}

// ---- showing ---------------------------------------------------------------------------------------------------------

/** @param {Json} status @param {Json} history @param {Json} tasks */
function show(status, history, tasks) {
  byId("main").hidden = false
  byId("ready").className = status["ready"] ? "ok" : "failed"
  say(byId("ready"), status["ready"] ? "ready" : "not ready")
  document.title = `${status["ready"] ? "●" : "○"} cosigner ${short(status["node_id"])}`
  const who = byId("who")
  say(who, `${status["node_id"]} · ${status["environment"]} · ${status["version"]}`)
  showFlags(status)
  showRisk(status)
  showItems(status)
  showFacts(status)
  showPlots(history, status["now_ms"])
  showTasks(tasks, status["now_ms"])
  showGroups(memory.groups)
  showServers(status)
  say(byId("foot"), `As of ${clock(status["now_ms"])}. Read-only; figures are of this node alone.`)
}

/**
 * What makes this node another one than its reader may take it for.
 * @param {Json} status
 */
function showFlags(status) {
  const { risk, environment } = status
  const frozen = status["items"].filter(
    (/** @type {Json} */ item) =>
      item["name"] === "freeze" && (item["state"] === "failed" || item["reason"].startsWith("frozen")),
  )
  const flags = [
    ...frozen.map((/** @type {Json} */ item) => `Frozen: ${item["reason"].replace(/^frozen: /, "")}`),
    ...(risk.rules_enabled || risk.callback_servers.length > 0
      ? []
      : ["No control is on: neither rules nor a callback server. This node signs whatever WaaS asks."]),
    ...(environment === "production" ? [] : [`Environment ${environment}: what production refuses is allowed here.`]),
  ]
  const list = byId("flags")
  if (list.textContent === flags.join("")) return
  list.replaceChildren(
    ...flags.map((flag) => el("li", { class: /^(?:No|Frozen:?) /.test(flag) ? "failed" : "waiting" }, flag)),
  )
}

/** @param {Json} status */
function showRisk(status) {
  const { risk } = status
  byId("risk").replaceChildren(
    el(
      "li",
      { class: risk.rules_enabled ? "ok" : "off" },
      el("span", { class: "mark" }, risk.rules_enabled ? "on" : "off"),
      el("span", {}, "embedded rules"),
    ),
    ...(risk.callback_servers.length > 0
      ? []
      : [el("li", { class: "off" }, el("span", { class: "mark" }, "none"), el("span", {}, "callback servers"))]),
    ...risk.callback_servers.map((/** @type {Json} */ server) =>
      serverLine(server, "callback", server["took_ms"] === null ? "" : `answered in ${span(server["took_ms"])}`),
    ),
  )
}

/**
 * @param {Json} server
 * @param {string} kind
 * @param {string} detail
 */
const serverLine = (server, kind, detail) =>
  el(
    "li",
    { class: server["healthy"] === null ? "waiting" : server["healthy"] ? "ok" : "failed" },
    el("span", { class: "mark" }, server["healthy"] === null ? "unheard" : server["healthy"] ? "ok" : "failing"),
    el("span", { class: "id" }, server["server"]),
    el("span", { class: "why" }, server["failure"] === "" ? detail : server["failure"]),
    el("span", { class: "quiet" }, kind),
  )

/** @param {Json} status */
function showItems(status) {
  byId("items").replaceChildren(
    ...status["items"].map((/** @type {Json} */ item) =>
      el(
        "li",
        { class: item["state"] },
        el("span", { class: "mark" }, item["state"]),
        el("strong", {}, item["name"]),
        el("span", { class: "why" }, item["reason"]),
        el("span", { class: "quiet" }, `for ${span(status["now_ms"] - item["since_ms"])}`),
        ...(item["code"] === "" ? [] : [el("p", { class: "next" }, el("code", {}, item["code"]), ` ${item["next"]}`)]),
      ),
    ),
  )
}

/** @param {Json} status */
function showFacts(status) {
  const { link, store, workers, tasks, groups, event_loop: loop } = status
  const facts = [
    ["Tasks open", tasks.open],
    ["Sessions open", status["sessions_open"]],
    ["Completed", tasks.completed],
    ["Rejected", tasks.rejected],
    ["Failed, cancelled", tasks.failed + tasks.cancelled],
    ["Groups that sign", groups.active - groups.blocked],
    ["Groups blocked", groups.blocked],
    ["Peers banned", groups.bans],
    ["Link to WaaS", linkText(link)],
    ["Clock offset", link.clock_offset_ms === null ? "unknown" : `${Math.round(link.clock_offset_ms)} ms`],
    ["Workers", `${workers.alive} of ${workers.size}`],
    ["Thread delay p99", `${loop.p99_ms.toFixed(1)} ms`],
    ["Store", `${size(store.bytes)}, ${several(store.commits, "commit")}`],
    ["Last backup", store.last_backup_ms === null ? "none known" : clock(store.last_backup_ms)],
    ["Memory", size(status["memory_bytes"])],
    ["Running for", span(status["now_ms"] - status["started_ms"])],
  ]
  byId("facts").replaceChildren(
    ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, String(value)))),
  )
}

/** @param {Json} link */
function linkText(link) {
  const { phase, rtt_ms: rttMs, replicas } = link
  const up = replicas.filter((/** @type {Json} */ replica) => replica["phase"] === "online").length
  return [
    phase,
    ...(rttMs === null ? [] : [span(rttMs)]),
    ...(replicas.length > 1 ? [`${up} of ${replicas.length} replicas`] : []),
  ].join(", ")
}

/** @param {Json} tasks @param {number} nowMs */
function showTasks(tasks, nowMs) {
  /** @param {Json} task */
  const draw = (task) => taskRow(task, nowMs)
  showRows("tasks", tasks["tasks"], { idName: "task_id", skip: memory.skip, nextSkip: tasks["next_skip"], draw })
}

/** @param {Json} task */
const isInProgress = (task) => ["claimed", "approved", "running", "emitted"].includes(task["state"])

/** @param {Json} task @param {number} nowMs */
const tookText = (task, nowMs) =>
  isInProgress(task) ? `${span(nowMs - task["claimed_ms"])} so far` : span(task["updated_ms"] - task["claimed_ms"])

/** @param {Json} task @param {number} nowMs */
function taskRow(task, nowMs) {
  const what = [
    task["type"],
    ALGORITHMS[task["signature_type"]] ?? "",
    task["messages"] > 1 ? `× ${task["messages"]}` : "",
  ]
  const row = /** @type {HTMLTableRowElement} */ (el("tr", isInProgress(task) ? { class: "open" } : {}))
  row.append(
    el(
      "th",
      { scope: "row" },
      el("span", { class: "what" }, what.filter((word) => word !== "").join(" ")),
      el("span", { class: "id", title: task["task_id"] }, short(task["task_id"])),
      el("p", { class: "quiet" }, `${short(task["group_id"])} ${task["paths"].join(" ")}`.trim()),
      ...intentLines(task["intents"]),
    ),
    el(
      "td",
      {},
      el("span", { class: `mark ${task["state"]}` }, task["state"]),
      ...(task["attempt"] > 1 ? [el("span", { class: "quiet" }, ` attempt ${task["attempt"]}`)] : []),
      ...(task["code"] === "" ? [] : [el("p", { class: "why" }, el("code", {}, task["code"]), ` ${task["reason"]}`)]),
      // without a code: what it waits for
      ...(task["code"] !== "" || task["reason"] === "" ? [] : [el("p", { class: "people" }, task["reason"])]),
    ),
    el("td", {}, verdictCell(task["verdict"])),
    el("td", { class: "number" }, tookText(task, nowMs)),
    el("td", { class: "number" }, clock(task["claimed_ms"])),
  )
  return row
}

/** @param {Json | null} verdict */
function verdictCell(verdict) {
  if (verdict === null) return el("span", { class: "quiet" }, "none yet")
  const rules = /** @type {Json[]} */ (verdict["rules"])
  const summary = el(
    "summary",
    {},
    el("span", { class: `mark ${verdict["action"]}` }, verdict["action"] === "approve" ? "approved" : "rejected"),
    ` ${several(rules.length, "rule")}`,
  )
  return el(
    "details",
    {},
    summary,
    el(
      "ul",
      { class: "rules" },
      ...rules.map((rule) =>
        el(
          "li",
          {},
          el("span", { class: `mark ${rule["outcome"]}` }, rule["outcome"]),
          el("code", {}, rule["rule"]),
          el("span", { class: "why" }, ` ${rule["reason"]}`),
        ),
      ),
    ),
  )
}

/** @param {Json[]} groups */
function showGroups(groups) {
  const shown = groups.map((group) => {
    const { participants, threshold, curve, status } = group
    const blocked = status === "ACTIVE" ? group["algorithms"].filter((/** @type {Json} */ one) => !one["ready"]) : []
    const banned = participants.filter((/** @type {Json} */ one) => one["is_banned"]).length
    return el(
      "li",
      { class: blocked.length > 0 ? "failed" : status === "ACTIVE" ? "ok" : "waiting" },
      el("span", { class: "mark" }, status.toLowerCase()),
      el("span", { class: "id", title: group["group_id"] }, short(group["group_id"])),
      el(
        "span",
        { class: "why" },
        `${threshold} of ${participants.length}, ${curve}, since ${clock(group["created_ms"])}`,
      ),
      el("span", { class: "quiet" }, banned === 0 ? "" : `${several(banned, "peer")} banned`),
      ...blocked.map((/** @type {Json} */ one) =>
        el(
          "p",
          { class: "next" },
          `${one["algorithm"]} cannot sign: `,
          el("code", {}, one["code"]),
          ` ${one["reason"]}; ${one["next"]}`,
        ),
      ),
    )
  })
  byId("groups").replaceChildren(...(shown.length > 0 ? shown : [el("li", { class: "quiet" }, "none yet")]))
}

/** @param {Json} replica */
function replicaLine({ url, phase, rtt_ms: rttMs, queued_frames: queued, last_error: error }) {
  const detail = `${rttMs === null ? "" : `${span(rttMs)}, `}${several(queued, "frame")} waiting`
  const healthy = phase === "online" ? true : error === null ? null : false
  const failure = healthy === false ? `${error["code"]} ${error["message"]}` : ""
  return serverLine({ server: url, healthy, failure }, "WaaS", detail)
}

/** @param {Json} status */
function showServers(status) {
  const { replicas } = status["link"]
  const shown = [
    ...(replicas.length > 1 ? replicas.map(replicaLine) : []),
    ...status["event_servers"].map((/** @type {Json} */ server) =>
      serverLine(server, "events", `${server["pending"]} waiting, ${server["failed"]} given up`),
    ),
  ]
  byId("servers").replaceChildren(...(shown.length > 0 ? shown : [el("li", { class: "quiet" }, "none")]))
}

// ---- plots -----------------------------------------------------------------------------------------------------------

/** One unit is one pixel of the screen, so that text is as large on a phone as on a desk. */
const BOX = { width: 600, height: 150, left: 54, right: 8, top: 10, bottom: 20 }
const POINTS = 120
const NARROWEST = 240

/** @param {Json} history @param {number} nowMs */
function showPlots(history, nowMs) {
  const { points, window: all, interval_ms: step } = history
  const columns = matchMedia("(max-width: 56rem)").matches ? 1 : 2
  BOX.width = Math.max(NARROWEST, Math.floor(byId("plots").clientWidth / columns) - (columns - 1) * 12)
  const newest = Math.floor(nowMs / step)
  /** @param {Json} point */
  const column = (point) => POINTS - 1 - (newest - Math.floor(point["at_ms"] / step))
  byId("plots").replaceChildren(ratePlot(points, column, step), timePlot(points, column, all))
}

/** @param {number} most */
function roundUp(most) {
  const unit = 10 ** Math.floor(Math.log10(Math.max(most, 1)))
  return [1, 2, 5, 10].map((of) => of * unit).find((of) => of >= most) ?? most
}

/**
 * @param {string} title
 * @param {string} text
 * @param {string[]} marks
 * @param {Node[]} drawn
 * @param {Node} legend
 */
function plot(title, text, marks, drawn, legend) {
  const { width, height, left, right, top, bottom } = BOX
  const inner = height - top - bottom
  const lines = marks.flatMap((mark, i) => {
    const y = top + inner * (1 - i / (marks.length - 1))
    const label = svg("text", { x: left - 6, y: y + 4, class: "axis", "text-anchor": "end" })
    label.textContent = mark
    return [svg("line", { x1: left, x2: width - right, y1: y, y2: y, class: "grid" }), label]
  })
  const times = [10, 5, 0].map((minutes, i) => {
    const x = left + ((width - left - right) * i) / 2
    const label = svg("text", { x, y: height - 4, class: "axis", "text-anchor": ["start", "middle", "end"][i] ?? "" })
    label.textContent = minutes === 0 ? "now" : `${minutes} min ago`
    return label
  })
  const picture = svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${title}: ${text}` },
    ...lines,
    ...times,
    ...drawn,
  )
  return el("figure", {}, el("figcaption", {}, el("strong", {}, title), legend), picture)
}

/** @param {[string, string][]} entries */
const legendOf = (entries) =>
  el("span", { class: "legend" }, ...entries.map(([name, kind]) => el("span", { class: `key ${kind}` }, name)))

const columnWidth = () => (BOX.width - BOX.left - BOX.right) / POINTS
const innerHeight_ = BOX.height - BOX.top - BOX.bottom
/** @param {number} column */
const xOf = (column) => BOX.left + column * columnWidth()

/** @param {Json[]} points @param {(point: Json) => number} column @param {number} step */
function ratePlot(points, column, step) {
  const kinds = ["completed", "rejected", "failed"]
  const top = roundUp(Math.max(2, ...points.map((point) => kinds.reduce((sum, kind) => sum + point[kind], 0))))
  const bars = points.flatMap((point) => {
    let below = 0
    return kinds.flatMap((kind) => {
      const height = (point[kind] / top) * innerHeight_
      if (height === 0) return []
      below += height
      return [
        svg("rect", {
          x: xOf(column(point)) + 0.5,
          y: BOX.top + innerHeight_ - below,
          width: Math.max(1, columnWidth() - 1),
          height,
          class: `bar ${kind}`,
        }),
      ]
    })
  })
  const sums = kinds.map((kind) => points.reduce((sum, point) => sum + point[kind], 0))
  const text = `${sums[0]} completed, ${sums[1]} rejected, ${sums[2]} failed or cancelled`
  const legend = legendOf([
    [`${sums[0]} completed`, "completed"],
    [`${sums[1]} rejected`, "rejected"],
    [`${sums[2]} failed`, "failed"],
  ])
  return plot(`Tasks ended per ${step / 1000} s`, text, ["0", String(top / 2), String(top)], bars, legend)
}

/**
 * The line of the larger value is drawn first and wider, so that equal ones are both seen.
 * @param {Json[]} points
 * @param {(point: Json) => number} column
 * @param {Json} all quantiles of the whole window
 */
function timePlot(points, column, all) {
  const known = points.filter((point) => point["p95_ms"] !== null)
  const top = roundUp(Math.max(1, ...known.map((point) => point["p95_ms"])))
  // What stands between two others is in the line; dots of all of them would hide it where it is narrow.
  const columns = new Set(known.map(column))
  const drawn = ["p95", "p50"].flatMap((kind) => {
    const spots = known.map((point) => ({
      column: column(point),
      x: xOf(column(point)) + columnWidth() / 2,
      y: BOX.top + innerHeight_ * (1 - point[`${kind}_ms`] / top),
    }))
    const line = spots.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ")
    return [
      svg("polyline", { points: line, class: `line ${kind}` }),
      ...spots
        .filter(({ column: at }) => !columns.has(at - 1) || !columns.has(at + 1))
        .map(({ x, y }) => svg("circle", { cx: x, cy: y, r: kind === "p95" ? 3.5 : 1.5, class: `dot ${kind}` })),
    ]
  })
  const isEmpty = all["p95_ms"] === null
  const text = isEmpty ? "no signature" : `median ${span(all["p50_ms"])}, 95 of 100 within ${span(all["p95_ms"])}`
  const legend = legendOf([
    [isEmpty ? "median" : `median ${span(all["p50_ms"])}`, "p50"],
    [isEmpty ? "p95" : `p95 ${span(all["p95_ms"])}`, "p95"],
  ])
  return plot("Signing tasks, from claim to end", text, ["0", span(top / 2), span(top)], drawn, legend)
}

// ---- start -----------------------------------------------------------------------------------------------------------

/** @param {number} skip */
function turnTo(skip) {
  memory.skip = Math.max(0, skip)
  void poll()
}

byId("state").addEventListener("change", () => turnTo(0))
byId("type").addEventListener("change", () => turnTo(0))
byId("newer").addEventListener("click", () => turnTo(memory.skip - PAGE))
byId("older").addEventListener("click", () => turnTo(memory.skip + PAGE))
byId("login").addEventListener("submit", (event) => {
  event.preventDefault()
  const input = byId("token")
  if (!(input instanceof HTMLInputElement)) return
  memory.token = input.value.trim()
  input.value = ""
  isLocked = false
  byId("login").hidden = true
  void poll()
})
document.addEventListener("visibilitychange", () => void poll())
setInterval(() => void poll(), POLL_MS)
void poll()
