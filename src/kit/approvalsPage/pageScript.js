// @ts-check
/**
 * The script of the approvals page: shows what the page's own server read, has a passkey sign the statement about it, and sends
 * what it signed. Text from answers goes into the document as text, never as markup. The challenge is worked out here from the
 * statement that is shown. What it shares with the other pages stands before it (panel/kit.js).
 */

const ANSWER_MS = 30_000
const TOUCH_MS = 120_000
const REFRESH_MS = 10_000

/** @type {{ busy: boolean, shown: string }} */
const memory = { busy: false, shown: "" }

/** @param {string} text @param {"ok" | "failed" | ""} kind */
function tell(text, kind = "") {
  const news = byId("news")
  news.className = kind
  say(news, text)
}

// ---- bytes -----------------------------------------------------------------------------------------------------------

/** @param {ArrayBuffer} buffer */
const base64 = (buffer) => btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""))
/** @param {string} text */
const fromBase64 = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0))
/** @param {string} text */
const challengeOf = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))

// ---- asking ----------------------------------------------------------------------------------------------------------

/** @param {string} path @param {Json} [body] @returns {Promise<Json>} */
async function ask(path, body) {
  const post = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
  const signal = AbortSignal.timeout(ANSWER_MS)
  const response = await fetch(path, { ...(body === undefined ? {} : post), cache: "no-store", signal })
  const answer = await response.json()
  if (!response.ok) throw new Error(answer.message ?? `HTTP ${response.status}`)
  return answer
}

/** One thing at a time; what goes wrong is said. @param {() => Promise<void>} work */
async function busy(work) {
  if (memory.busy) return
  memory.busy = true
  for (const button of document.querySelectorAll("button")) button.disabled = true
  try {
    await work()
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error)
    tell(error instanceof DOMException && error.name === "NotAllowedError" ? "Nothing was signed." : text, "failed")
  } finally {
    memory.busy = false
    for (const button of document.querySelectorAll("button")) button.disabled = false
  }
}

// ---- what waits ------------------------------------------------------------------------------------------------------

async function refresh() {
  if (memory.busy || document.visibilityState === "hidden") return
  try {
    const answer = await ask("/tasks")
    showApprovers(answer["approvers"])
    showTasks(answer["tasks"])
    if (byId("news").classList.contains("lost")) tell("")
  } catch (error) {
    tell(error instanceof Error ? error.message : String(error), "failed")
    byId("news").classList.add("lost")
  }
}

/** @param {string[]} names */
function showApprovers(names) {
  const select = byId("approver")
  if (!(select instanceof HTMLSelectElement)) return
  byId("nobody").hidden = names.length > 0
  if ([...select.options].map((option) => option.value).join() === names.join()) return
  select.replaceChildren(...names.map((name) => el("option", {}, name)))
}

/** @param {Json[]} tasks */
function showTasks(tasks) {
  const shown = JSON.stringify(tasks)
  if (memory.shown === shown) return
  memory.shown = shown
  byId("none").hidden = tasks.length > 0
  byId("tasks").replaceChildren(...tasks.map(taskArticle))
}

/** What cannot be read can be rejected alone: the first. */
const LABELS = {
  reject: "Reject with a passkey",
  approve: "Approve with a passkey",
  request: "Confirm that I asked for it",
}

/** @param {Json} task */
function taskArticle(task) {
  const title = `task-${task["task"]}`
  const words = task["words"].map((/** @type {string} */ line) => el("li", {}, line))
  const notes = task["unverified"].map((/** @type {string} */ line) => el("li", {}, line))
  const choices = Object.entries(LABELS).map(([decision, label]) => {
    const button = el("button", { type: "button", "data-decision": decision, "aria-describedby": title }, label)
    button.addEventListener("click", () => busy(() => decide(task, decision)))
    return button
  })
  return el(
    "article",
    { "aria-labelledby": title },
    el("h3", { id: title }, `Request ${task["request_id"]}`),
    task["problem"] === null
      ? el("ul", { class: "words", "aria-label": "What it does" }, ...words)
      : el("p", { class: "failed" }, `It cannot be read, so it can only be rejected: ${task["problem"]}`),
    ...(notes.length === 0 ? [] : [el("p", {}, "Not verified here:"), el("ul", { class: "unverified" }, ...notes)]),
    el(
      "p",
      { class: "quiet" },
      `Task ${task["task"]}, until ${task["until"]}. WaaS says: it waits for ${task["awaited"]}. ${task["said"]}`,
    ),
    el("div", { class: "choices" }, ...(task["problem"] === null ? choices : choices.slice(0, 1))),
  )
}

// ---- signing ---------------------------------------------------------------------------------------------------------

/** @param {Json} task @param {string} decision */
async function decide(task, decision) {
  const select = byId("approver")
  const approver = select instanceof HTMLSelectElement ? select.value : ""
  const { statement, credential_id: credentialId } = await ask("/statements", {
    request_id: task["request_id"],
    task: task["task"],
    decision,
    approver,
  })
  byId("signed").hidden = false
  byId("statement").textContent = statement
  tell("Use your passkey to sign the statement below.")
  const assertion = await assert(await challengeOf(statement), credentialId)
  const answer = await ask("/approvals", { request_id: task["request_id"], statement, assertion })
  tell(answer["message"], "ok")
  memory.shown = ""
}

/** @param {ArrayBuffer} challenge @param {string} credentialId @returns {Promise<Json>} */
async function assert(challenge, credentialId) {
  const id = fromBase64(credentialId)
  const credential = await navigator.credentials.get({
    publicKey: {
      challenge,
      rpId: location.hostname,
      allowCredentials: [{ type: "public-key", id }],
      userVerification: "required",
      timeout: TOUCH_MS,
    },
  })
  if (!(credential instanceof PublicKeyCredential)) throw new Error("Nothing was signed.")
  const { response } = credential
  if (!(response instanceof AuthenticatorAssertionResponse)) throw new Error("The passkey gave no assertion.")
  return {
    credential_id: base64(credential.rawId),
    authenticator_data: base64(response.authenticatorData),
    client_data_json: base64(response.clientDataJSON),
    signature: base64(response.signature),
  }
}

// ---- a new passkey -----------------------------------------------------------------------------------------------------

/** @param {string} name */
async function register(name) {
  const credential = await navigator.credentials.create({
    publicKey: {
      challenge: crypto.getRandomValues(new Uint8Array(32)),
      rp: { id: location.hostname, name: "cosigner approvals" },
      user: { id: crypto.getRandomValues(new Uint8Array(32)), name, displayName: name },
      pubKeyCredParams: [
        { type: "public-key", alg: -7 },
        { type: "public-key", alg: -8 },
      ],
      authenticatorSelection: { userVerification: "required", residentKey: "preferred" },
      attestation: "none",
      timeout: TOUCH_MS,
    },
  })
  if (!(credential instanceof PublicKeyCredential)) throw new Error("No passkey was made.")
  const { response } = credential
  if (!(response instanceof AuthenticatorAttestationResponse)) throw new Error("The device told of no new passkey.")
  const made = { name, authenticator_data: base64(response.getAuthenticatorData()) }
  const { statement } = await ask("/registrations", made)
  tell("The passkey was made. Use it once more, so that it is seen to sign.")
  const assertion = await assert(await challengeOf(statement), base64(credential.rawId))
  const { entry } = await ask("/registrations", { ...made, statement, assertion })
  byId("entry").textContent = entry
  byId("made").hidden = false
  tell("The passkey signs. Give the entry below to whoever keeps the nodes' configuration.", "ok")
}

byId("registration").addEventListener("submit", (event) => {
  event.preventDefault()
  const input = byId("name")
  const name = input instanceof HTMLInputElement ? input.value : ""
  void busy(() => register(name))
})
if (window.PublicKeyCredential === undefined)
  tell("This browser has no passkeys here: the page must be opened over https, or on localhost.", "failed")
void refresh()
setInterval(() => void refresh(), REFRESH_MS)
