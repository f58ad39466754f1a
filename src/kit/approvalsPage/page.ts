/**
 * The approvals page: markup, style and script in one answer, none of it from elsewhere. The content policy names script and style by
 * their digests, so nothing else runs on the page, whatever text a task contains.
 */
import { HEADERS } from "../../panel/asking.ts"
import { policyOf, scriptOf, styleOf } from "../../panel/look.ts"
import css from "./page.css" with { type: "text" }
import js from "./pageScript.js" with { type: "text" }

const style = styleOf(css)
const script = scriptOf(js)

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  ...HEADERS,
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": policyOf(script, style),
  "permissions-policy": "publickey-credentials-get=(self), publickey-credentials-create=(self)",
}

export const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>cosigner approvals</title>
<style>${style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to what waits</a>
<header>
  <h1>cosigner approvals</h1>
  <p id="news" role="status" aria-live="polite"></p>
</header>
<main id="main" tabindex="-1">
  <section aria-labelledby="h-who">
    <h2 id="h-who">Who signs</h2>
    <label for="approver">Approver</label>
    <select id="approver"></select>
    <p id="nobody" class="quiet" hidden>No passkey of this page is in its approvers file yet: make one below.</p>
  </section>
  <section aria-labelledby="h-waiting">
    <h2 id="h-waiting">What waits</h2>
    <p id="none" class="quiet">Nothing waits for an approval.</p>
    <div id="tasks"></div>
  </section>
  <section id="signed" aria-labelledby="h-statement" hidden>
    <h2 id="h-statement">The statement that is signed</h2>
    <pre id="statement" tabindex="0" role="region" aria-labelledby="h-statement"></pre>
  </section>
  <section aria-labelledby="h-new">
    <h2 id="h-new">A new passkey</h2>
    <form id="registration">
      <label for="name">Name of the approver: small letters, digits, dots and dashes</label>
      <input id="name" required pattern="[a-z0-9]([a-z0-9._\\-]{0,62}[a-z0-9])?" autocomplete="off" spellcheck="false">
      <button>Make a passkey</button>
    </form>
    <div id="made" hidden>
      <p id="h-entry">The entry of the nodes' configuration:</p>
      <pre id="entry" tabindex="0" role="region" aria-labelledby="h-entry"></pre>
    </div>
  </section>
</main>
<footer><p>Read by this page's own server from the task's document. WaaS's names and descriptions are not shown.</p></footer>
<script>${script}</script>
</body>
</html>
`
