/**
 * The static files of the console: the page, its style and script, and the login form. They hold no data of this WaaS. Style and script
 * have the page's own origin, and the content security policy allows nothing else, so no text in a page can run as code.
 */

import { escapeHtml } from "../../panel/html.ts"
import { scriptOf, styleOf } from "../../panel/look.ts"
import ownScript from "./consoleScript.js" with { type: "text" }
import { REQUEST_KINDS, REQUEST_STATES } from "./documents.ts"
import ownStyle from "./page.css" with { type: "text" }

export const STYLE = styleOf(ownStyle)
export const SCRIPT = scriptOf(ownScript)

const NOTHING_ELSE = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
/** The login form runs no script at all. */
export const LOGIN_CSP = `${NOTHING_ELSE}; require-trusted-types-for 'script'; trusted-types 'none'`
export const CONSOLE_CSP = `${NOTHING_ELSE}; script-src 'self'; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'`

const head = (more: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>cosigner WaaS</title>
<link rel="stylesheet" href="/console.css">${more}
</head>
`

const options = (words: readonly string[]): string =>
  ['<option value="">any</option>', ...words.map((word) => `<option>${escapeHtml(word)}</option>`)].join("")

/** `problem`: why the last login failed; empty if there was none. */
export const loginPage = (problem: string): string => `${head("")}<body>
<header><div class="brand"><h1>cosigner WaaS</h1></div></header>
<main id="main" class="narrow">
  <form method="post" action="/login">
    <input type="text" name="reader" value="console" autocomplete="username" hidden>
    <label for="token">Token of this console</label>
    <input id="token" name="token" type="password" autocomplete="current-password" spellcheck="false" required maxlength="512" autofocus${problem === "" ? "" : ' aria-invalid="true" aria-describedby="problem"'}>
    <button>Open</button>
    ${problem === "" ? "" : `<p id="problem" class="problem" role="alert">${escapeHtml(problem)}</p>`}
    <p class="quiet">Its file is named by waas.console.token_path of waas.toml, and by the log at the start.</p>
  </form>
</main>
</body>
</html>
`

export const CONSOLE_PAGE = `${head('\n<script src="/console.js" defer></script>')}<body>
<a class="skip" href="#main">Skip to the state of WaaS</a>
<header>
  <div class="brand"><h1>cosigner WaaS</h1><p id="who"></p></div>
  <p id="ready" role="status" aria-live="polite">asking WaaS</p>
  <form id="leave" class="plain" method="post" action="/logout"><button>Log out</button></form>
</header>
<main id="main" tabindex="-1" hidden>
  <ul id="flags" class="wide" aria-label="What needs somebody"></ul>
  <section class="wide" aria-labelledby="h-nodes"><h2 id="h-nodes">Nodes</h2><ul id="nodes" class="lines"></ul></section>
  <section class="wide" aria-labelledby="h-requests">
    <h2 id="h-requests">Requests</h2>
    <div class="tools">
      <label>State <select id="state">${options(REQUEST_STATES)}</select></label>
      <label>Kind <select id="kind">${options(REQUEST_KINDS)}</select></label>
      <label>Waits for <select id="waits"><option value="">any</option><option>people</option></select></label>
      <label>Vault <select id="vault"><option value="">any</option></select></label>
      <label>Id <input id="find" type="search" size="24" maxlength="128" spellcheck="false" autocomplete="off"></label>
      <span class="pages"><button id="newer" type="button">Newer</button> <span id="page"></span>
      <button id="older" type="button">Older</button></span>
    </div>
    <div class="scroll" tabindex="0" role="region" aria-labelledby="h-requests"><table id="requests">
      <thead><tr><th scope="col">Request</th><th scope="col">State</th><th scope="col">Nodes</th><th scope="col">Began</th></tr></thead>
      <tbody></tbody>
    </table></div>
  </section>
  <section class="wide" aria-labelledby="h-vaults">
    <h2 id="h-vaults">Vaults and groups</h2>
    <div id="vaults"></div>
    <div id="vaults-tools" class="tools" hidden><span class="pages"><button id="vaults-newer" type="button">Newer vaults</button> <span id="vaults-page"></span>
    <button id="vaults-older" type="button">Older vaults</button></span></div>
  </section>
  <section aria-labelledby="h-webhooks"><h2 id="h-webhooks">Webhooks</h2><ul id="webhooks" class="lines"></ul></section>
  <section aria-labelledby="h-store"><h2 id="h-store">Store and replicas</h2><dl id="facts"></dl><ul id="replicas" class="lines"></ul></section>
</main>
<footer><p id="foot">Read-only.</p></footer>
</body>
</html>
`
