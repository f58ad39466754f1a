/** The OpenAPI 3.1 document of the REST API, generated from the routes and the schemas of their answers. */
import { ANSWERS, ErrorAnswer } from "./answers.ts"
import type { Route } from "./route.ts"

type OpenApiObject = Readonly<Record<string, unknown>>

const SECURITY = {
  key: { type: "apiKey", in: "header", name: "BIZ-API-KEY", description: "public key, hex" },
  nonce: { type: "apiKey", in: "header", name: "BIZ-API-NONCE", description: "Unix time in milliseconds" },
  signature: {
    type: "apiKey",
    in: "header",
    name: "BIZ-API-SIGNATURE",
    description: "hex, over the double SHA-256 of METHOD|PATH|NONCE|QUERY|BODY",
  },
} as const

/** The document for these routes. Calls that are not served (2021) are left out. */
export const openApiOf = (routes: readonly Route[], version: string): OpenApiObject => ({
  openapi: "3.1.0",
  info: {
    title: "cosigner WaaS",
    version,
    description: "The REST API of the coordinator. Answers are signed: BIZ-TIMESTAMP and BIZ-RESP-SIGNATURE.",
  },
  security: [{ key: [], nonce: [], signature: [] }],
  components: { securitySchemes: SECURITY, schemas: { Error: ErrorAnswer } },
  paths: Object.fromEntries(
    [...Map.groupBy(routes.filter(isServed), ({ path }) => openPath(path))].map(([path, those]) => [
      path,
      Object.fromEntries(those.map((route) => [route.method.toLowerCase(), operationOf(route)])),
    ]),
  ),
})

const isServed = ({ method, path }: Route): boolean => Object.hasOwn(ANSWERS, `${method} ${path}`)

const openPath = (path: string): string => path.replace(/:(\w+)/g, "{$1}")

function operationOf({ method, path, summary, role, query, body }: Route): OpenApiObject {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }))
  const inQuery = Object.entries(query.properties).map(([name, schema]) => ({
    name,
    in: "query",
    required: (query.required ?? []).includes(name),
    schema,
  }))
  return {
    operationId: operationId(method, path),
    summary,
    description: `Role of the API key: ${role}.`,
    parameters: [...inPath, ...inQuery],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { "application/json": { schema: body } } } }),
    responses: {
      [method === "POST" ? "201" : "200"]: {
        description: "done",
        content: { "application/json": { schema: ANSWERS[`${method} ${path}`] } },
      },
      default: {
        description: "an error",
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  }
}

/** `get_wallets_mpc_vaults_by_vault_id`: unique, and a valid name in every language for which clients are generated. */
const operationId = (method: string, path: string): string =>
  `${method.toLowerCase()}${path
    .replace("/v2", "")
    .replace(/\/:(\w+)/g, "_by_$1")
    .replaceAll("/", "_")}`
