/**
 * The endpoints as data: path, meaning, query and the answers by status. The port, the OpenAPI description and the tests
 * are made from this list.
 */
import type { TObject, TSchema } from "@sinclair/typebox"
import {
  errorSchema,
  groupsQuery,
  groupsSchema,
  healthSchema,
  historySchema,
  readySchema,
  statusSchema,
  tasksQuery,
  tasksSchema,
} from "./documents.ts"

export interface PortRoute {
  readonly path: string
  readonly summary: string
  readonly query: TObject | undefined
  /** Schemas of JSON bodies by status; undefined is text. */
  readonly answers: Readonly<Record<number, TSchema | undefined>>
}

export const ROUTES = {
  healthz: {
    path: "/healthz",
    summary: "Whether the process is alive. Says nothing about its work: see /readyz.",
    query: undefined,
    answers: { 200: healthSchema },
  },
  readyz: {
    path: "/readyz",
    summary: "Whether this node can sign now, item by item.",
    query: undefined,
    answers: { 200: readySchema, 503: readySchema },
  },
  status: {
    path: "/status",
    summary: "The state of the node, at most a second old.",
    query: undefined,
    answers: { 200: statusSchema },
  },
  history: {
    path: "/history",
    summary: "Rates and durations of the last ten minutes.",
    query: undefined,
    answers: { 200: historySchema },
  },
  groups: {
    path: "/groups",
    summary:
      "The epochs of the groups this node holds a share of, newest first: at most the newest 2000, ACTIVE ones before others. After a start or a change it takes a second for each 100 of them.",
    query: groupsQuery,
    answers: { 200: groupsSchema, 400: errorSchema },
  },
  tasks: {
    path: "/tasks",
    summary:
      "The newest 1000 tasks, newest first, with their verdicts, as they were a second ago. After a start it takes a second for each 100 of them. cosigner info task has every task of the journal.",
    query: tasksQuery,
    answers: { 200: tasksSchema, 400: errorSchema },
  },
  metrics: {
    path: "/metrics",
    summary: "Measurements in the text format of Prometheus, at most a second old.",
    query: undefined,
    answers: { 200: undefined },
  },
} as const satisfies Readonly<Record<string, PortRoute>>

/** Answers that any of them may give. */
const COMMON: Readonly<Record<number, string>> = {
  401: "The bearer token is missing or wrong.",
  429: "More was asked than the port answers; Retry-After says when to come again.",
  421: "The Host header names another machine.",
  503: "The node's main thread does not answer.",
}

/** OpenAPI 3.1: its schemas are JSON Schema, as ours are. */
export const openApi = (version: string): object => ({
  openapi: "3.1.0",
  info: {
    title: "cosigner status port",
    version,
    description: "Read-only, on this machine alone. Text in answers comes from outside: show it as text.",
  },
  components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
  security: [{}, { token: [] }],
  paths: Object.fromEntries(
    Object.entries<PortRoute>(ROUTES).map(([operationId, { path, summary, query, answers }]) => [
      path,
      { get: { operationId, summary, parameters: parametersOf(query), responses: responsesOf(answers) } },
    ]),
  ),
})

const parametersOf = (query: TObject | undefined): readonly object[] =>
  Object.entries<TSchema>(query?.properties ?? {}).map(([name, schema]) => ({
    name,
    in: "query",
    required: false,
    description: schema.description,
    schema,
  }))

function responsesOf(answers: PortRoute["answers"]): object {
  const common = Object.entries(COMMON).map(([status, description]) => [
    status,
    { description, content: { "application/json": { schema: errorSchema } } },
  ])
  const own = Object.entries(answers).map(([status, schema]) => [
    status,
    {
      description: schema?.description ?? (status === "200" ? "As asked." : "Not so, and why."),
      content:
        schema === undefined ? { "text/plain": { schema: { type: "string" } } } : { "application/json": { schema } },
    },
  ])
  return Object.fromEntries([...common, ...own])
}
