/**
 * The page at /: markup, style and script in one answer, none of it from elsewhere. The content policy names script and style by
 * their digests, so nothing else runs on the page, whatever text it shows. The script inserts text only as text.
 */

import { policyOf, scriptOf, styleOf } from "../../panel/look.ts"
import { TASK_STATES } from "../../tasks/ports.ts"
import { TASK_TYPES } from "../../wire/task.ts"
import ownStyle from "./page.css" with { type: "text" }
import ownScript from "./pageScript.js" with { type: "text" }

const style = styleOf(ownStyle)
const script = scriptOf(ownScript)

const options = (words: readonly string[]): string =>
  ['<option value="">any</option>', ...words.map((word) => `<option>${word}</option>`)].join("")

export const CSP = policyOf(script, style)

export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>cosigner</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the state of the node</a>
<header>
  <div class="brand"><h1>cosigner</h1><p id="who"></p></div>
  <p id="ready" role="status" aria-live="polite">asking the node</p>
</header>
<form id="login" hidden>
  <label for="token">Bearer token of this port</label>
  <input id="token" type="password" autocomplete="off" spellcheck="false">
  <button>Open</button>
  <p class="quiet">It stays in this page. The file is named by status.token_path.</p>
</form>
<main id="main" tabindex="-1" hidden>
  <ul id="flags" class="wide" aria-label="What is not as in production"></ul>
  <section class="wide" aria-labelledby="h-risk"><h2 id="h-risk">Risk control</h2><ul id="risk" class="lines"></ul></section>
  <section aria-labelledby="h-items"><h2 id="h-items">Readiness</h2><ul id="items" class="lines"></ul></section>
  <section aria-labelledby="h-now"><h2 id="h-now">At work</h2><dl id="facts"></dl></section>
  <section class="wide" aria-labelledby="h-plots"><h2 id="h-plots">Last ten minutes</h2><div id="plots"></div></section>
  <section class="wide" aria-labelledby="h-tasks">
    <h2 id="h-tasks">Tasks</h2>
    <div class="tools">
      <label>State <select id="state">${options(TASK_STATES)}</select></label>
      <label>Type <select id="type">${options(TASK_TYPES)}</select></label>
      <span class="pages"><button id="newer" type="button">Newer</button> <span id="page"></span>
      <button id="older" type="button">Older</button></span>
    </div>
    <div class="scroll" tabindex="0" role="region" aria-labelledby="h-tasks"><table id="tasks">
      <thead><tr><th scope="col">Task</th><th scope="col">State</th><th scope="col">Verdict and rules</th><th scope="col">Took</th><th scope="col">Began</th></tr></thead>
      <tbody></tbody>
    </table></div>
  </section>
  <section class="wide" aria-labelledby="h-groups"><h2 id="h-groups">Groups</h2><ul id="groups" class="lines"></ul></section>
  <section class="wide" aria-labelledby="h-servers"><h2 id="h-servers">Servers</h2><ul id="servers" class="lines"></ul></section>
</main>
<footer><p id="foot">Read-only. Figures are of this node alone.</p></footer>
<script>${script}</script>
</body>
</html>
`
