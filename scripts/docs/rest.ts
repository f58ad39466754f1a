/** rest.md: the REST API of WaaS and the status port of a node, from the route tables that serve them. */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { toHex } from "../../src/bytes.ts"
import { ROUTES } from "../../src/ops/port/routes.ts"
import { Secret } from "../../src/secret.ts"
import { ANSWERS } from "../../src/waas/api/answers.ts"
import { signedHash } from "../../src/waas/api/canonical.ts"
import type { ApiContext } from "../../src/waas/api/context.ts"
import { routesOf } from "../../src/waas/api/server.ts"
import { apiPublicKey, signApiHash } from "../../src/waas/apiKey.ts"
import { API_ERRORS } from "../../src/waas/failure.ts"
import { code, page, table } from "./markdown.ts"

// the handlers are never called: the routes are read as data
const none: ApiContext = Object.create(null)

const AUTHENTICATION: readonly string[] = [
  "### Authentication",
  "Every request carries three headers. Every answer carries two, which prove that it comes from WaaS. Keys and signatures are hex.",
  table(
    ["header", "value"],
    [
      ["`BIZ-API-KEY`", "the public half of an API key: Ed25519 (32 bytes) or secp256k1 (33)"],
      [
        "`BIZ-API-NONCE`",
        "any text of up to 128 characters, usually the time in milliseconds; WaaS does not accept the same POST or PUT twice",
      ],
      ["`BIZ-API-SIGNATURE`", "over the request, as below"],
      ["`BIZ-TIMESTAMP`", "of an answer: Unix time in milliseconds"],
      ["`BIZ-RESP-SIGNATURE`", "of an answer: Ed25519 under the response key (`cosigner waas info`)"],
    ],
  ),
  [
    "```",
    'request   = METHOD "|" PATH "|" NONCE "|" QUERY "|" BODY        PATH with /v2; QUERY as sent, without "?"; BODY as sent, or ""',
    "signature = Ed25519(SHA256(SHA256(request)))                    or ECDSA on secp256k1, low s, DER",
    'answer    = BODY "|" BIZ-TIMESTAMP                               signed the same way',
    "```",
  ].join("\n"),
  "Worked example, with the Ed25519 key whose seed is 32 bytes of 07:",
  example(),
]

/** One request, signed by the code that clients sign with. */
function example(): string {
  using seed = Secret.from(new Uint8Array(32).fill(7))
  const request = "GET|/v2/wallets/mpc/vaults|1790000000000|vault_type=Org-Controlled&limit=10|"
  const hash = signedHash(request)
  return [
    "```",
    `request              ${request}`,
    `SHA256(SHA256(...))  ${toHex(hash)}`,
    `BIZ-API-KEY          ${apiPublicKey("ed25519", seed)}`,
    "BIZ-API-NONCE        1790000000000",
    `BIZ-API-SIGNATURE    ${toHex(signApiHash("ed25519", seed, hash))}`,
    "```",
  ].join("\n")
}

export const restPage = (): string =>
  page(
    "REST",
    "## The status port of a node",
    [
      "`[status]` opens it, on the loopback or a unix socket. Read-only, GET alone, no secret in any answer. `/openapi.json` describes",
      "it for programs; `/` is a page for people. With `token_path` every request carries `Authorization: Bearer <token>`.",
    ].join("\n"),
    table(
      ["path", "answers", "meaning"],
      Object.values(ROUTES).map(({ path, answers, summary }) => [
        code(`GET ${path}`),
        Object.keys(answers).join(", "),
        summary,
      ]),
    ),
    ...Object.values(ROUTES).flatMap(({ path, query }) =>
      query === undefined ? [] : [`Query of ${code(path)}:`, fields(query)],
    ),
    "## The REST API of WaaS",
    [
      "JSON throughout, UTF-8. POST answers 201, GET and PUT 200. Unknown fields are refused. Each call needs a role of the key: read, operate (which may read too) or admin (which may do all).",
      "`GET /openapi.json` describes all of it for programs, and needs no key. The same with `curl`: [call the REST API](../how-to/call-the-api.md).",
    ].join("\n"),
    ...AUTHENTICATION,
    "### Pages",
    "Lists come in pages: `limit` (1 to 50, default 10), and `after` or `before` with the cursor from the previous page. An empty `after` in the answer is the end; `before=infinity` is the last page. `total_count` counts up to 10 000.",
    "### Waiting",
    "`?wait=SECONDS` (0 to 50) on the GET of one sign request, TSS request or key share sign request answers when the request has ended, or after that many seconds with its state then. At most 2 048 callers wait at once; others are answered immediately.",
    "### Errors",
    '`{"error_code", "error_message", "error_id"}`, signed like every answer. Programs match `error_code`; the log of WaaS has the `error_id`.',
    table(
      ["error_code", "HTTP", "means", "what to do"],
      Object.entries(API_ERRORS).map(([number, { http, meaning, what }]) => [number, String(http), meaning, what]),
    ),
    ...routesOf(none).flatMap(({ method, path, summary, role, query, body }) => [
      `### ${method} ${path}`,
      `${summary}. Role: ${role}.`,
      Object.keys(query.properties).length === 0 ? "" : `Query:\n\n${fields(query)}`,
      body === undefined ? "" : `Body:\n\n${fields(body)}`,
      answerOf(`${method} ${path}`),
    ]),
  )

function answerOf(call: string): string {
  const schema = ANSWERS[call]
  if (schema === undefined) return "Answers error 2021."
  return `Answer${KindGuard.IsArray(schema) ? ", a list of" : ""}:\n\n${fields(KindGuard.IsArray(schema) ? schema.items : schema)}`
}

function fields(schema: TSchema): string {
  const rows = fieldRows(schema, "")
  return rows.length === 0 ? `${code(typeText(schema))}` : table(["field", "", "value"], rows)
}

function fieldRows(schema: TSchema, prefix: string): readonly (readonly string[])[] {
  if (!KindGuard.IsObject(schema)) return []
  return Object.entries<TSchema>(schema.properties).flatMap(([name, inner]) => {
    const fallback: unknown = inner["default"]
    const need =
      fallback !== undefined
        ? `default ${JSON.stringify(fallback)}`
        : (schema.required ?? []).includes(name)
          ? "required"
          : "optional"
    const item: TSchema = KindGuard.IsArray(inner) ? inner.items : inner
    const own = `${prefix}${name}${KindGuard.IsArray(inner) ? "[]" : ""}`
    return [[code(own), need, typeText(inner)], ...fieldRows(item, `${own}.`)]
  })
}

function typeText(schema: TSchema): string {
  if (KindGuard.IsLiteral(schema)) return code(JSON.stringify(schema.const))
  if (KindGuard.IsUnion(schema)) return schema.anyOf.map(typeText).join(", ")
  if (KindGuard.IsArray(schema))
    return `list of ${typeText(schema.items)}${bounds(schema.minItems, schema.maxItems, " items")}`
  if (KindGuard.IsObject(schema)) return "object"
  if (KindGuard.IsString(schema)) {
    const { minLength, maxLength, pattern } = schema
    return `text${bounds(minLength, maxLength, " characters")}${pattern === undefined ? "" : `, ${code(pattern)}`}`
  }
  if (KindGuard.IsInteger(schema)) return `integer${bounds(schema.minimum, schema.maximum, "")}`
  if (KindGuard.IsBoolean(schema)) return "true or false"
  return typeof schema["type"] === "string" ? schema["type"] : "value"
}

function bounds(least: number | undefined, most: number | undefined, text: string): string {
  if (least === undefined && most === undefined) return ""
  return ` (${least ?? 0} to ${most ?? "any number"}${text})`
}
