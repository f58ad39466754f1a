/** rest.md: the REST API of WaaS and the status port of a node, from the route tables that serve them. */
import { KindGuard, type TSchema } from "@sinclair/typebox"
import { ROUTES } from "../../src/ops/port/routes.ts"
import { ANSWERS } from "../../src/waas/api/answers.ts"
import type { ApiContext } from "../../src/waas/api/context.ts"
import { routesOf } from "../../src/waas/api/server.ts"
import { code, page, table } from "./markdown.ts"

// the handlers are never called: the routes are read as data
const none: ApiContext = Object.create(null)

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
      "Every request is signed by an API key (`cosigner waas key create`), every answer by the key that `waas init` prints. POST answers",
      '201, GET and PUT 200. An error is `{"error_code", "error_message", "error_id"}`. Unknown fields are refused. Each call needs a role of the key: read, operate (which may read too) or admin (which may do all). Pages have `limit`, and',
      "`before` or `after` with the cursors of the page before.",
    ].join("\n"),
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
