/**
 * The calls about signing requests, an interface of our own: messages in, signatures out. The nodes sign the hashes in the request, or
 * those that follow from its payloads. `extra_info` is only passed on to risk control.
 */
import { type Static, Type } from "@sinclair/typebox"
import { toHex, utf8 } from "../../bytes.ts"
import { sha256 } from "../../crypto/frame.ts"
import { CosignerError } from "../../errors.ts"
import { FORMATS, MAX_PAYLOAD_BYTES } from "../../intent/reading.ts"
import { formatPath, parsePath } from "../../keys/path.ts"
import type { TaskPayload } from "../../wire/task.ts"
import { type Candidates, namedSigners, signersOrChoice } from "../engine/choose.ts"
import { canonicalJson } from "../engine/outcome.ts"
import { type AskedMessage, isBase64, withHashes } from "../engine/payloads.ts"
import { isOpen, signRequestNow } from "../engine/requests.ts"
import { ApiFailure, notFound } from "../failure.ts"
import { type JsonObject, signRequest } from "../shapes.ts"
import type { CurveType, HolderGroup, SignRequest, WaasTask } from "../store/model.ts"
import type { StoreWrite } from "../store/store.ts"
import { approvalRoutes } from "./approvals.ts"
import { type ApiContext, groupIn, vaultOf } from "./context.ts"
import { ExtraInfo } from "./extraInfo.ts"
import { pageFields, pageOf, pageQuery } from "./page.ts"
import { closed, Id, NodeIdText, param, type Route, route, Words } from "./route.ts"
import { WaitQuery, waited } from "./wait.ts"

const REQUESTS = "/v2/wallets/mpc/vaults/:vault_id/sign_requests"
const MAX_MESSAGES = 256
const MAX_PAYLOADS = 32
/** The longest EdDSA message, bytes. */
const MAX_EDDSA_MESSAGE = 16_384

const Hex = (maxBytes: number) => Type.String({ pattern: "^0x(?:[0-9a-fA-F]{2})*$", maxLength: 2 + 2 * maxBytes })

const NewSignRequest = closed({
  request_id: Words(1, 128),
  curve: Type.Union([Type.Literal("SECP256K1"), Type.Literal("ED25519")]),
  signature_type: Type.Union([Type.Literal(1), Type.Literal(2), Type.Literal(3)], {
    description: "1 ECDSA, 2 EdDSA, 3 BIP-340 Schnorr",
  }),
  key_share_holder_group_id: Type.Optional(Id),
  used_tss_node_ids: Type.Optional(Type.Array(NodeIdText, { minItems: 2, maxItems: 32 })),
  messages: Type.Array(
    closed({
      bip32_path: Type.String({ maxLength: 256 }),
      msg_hash: Type.Optional({ ...Hex(MAX_EDDSA_MESSAGE), description: "may be absent if the payload determines it" }),
      tweak: Type.Optional(Type.Union([Type.Literal(""), Hex(32)])),
      payload: Type.Optional(
        Type.Integer({ minimum: 0, maximum: MAX_PAYLOADS - 1, description: "the index of its payload, from 0" }),
      ),
      input: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 0xffff_ffff, description: "Bitcoin: the index of the input" }),
      ),
    }),
    { minItems: 1, maxItems: MAX_MESSAGES },
  ),
  payloads: Type.Optional(
    Type.Array(
      closed({
        format: Type.Union(FORMATS.map((format) => Type.Literal(format))),
        data: Type.String({ minLength: 4, maxLength: 4 * Math.ceil(MAX_PAYLOAD_BYTES / 3), description: "base64" }),
      }),
      {
        minItems: 1,
        maxItems: MAX_PAYLOADS,
        description: "the transactions or messages themselves, for nodes to read",
      },
    ),
  ),
  extra_info: Type.Optional(ExtraInfo),
  description: Type.Optional(Words(0, 512)),
  deadline_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: 604_800 })),
})

type NewSignRequest = Static<typeof NewSignRequest>

export const signRequestRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: REQUESTS,
    summary: "The signing requests of a vault, newest first",
    query: closed(pageFields),
    handle: async ({ params, query }) => {
      const { vaultId } = await vaultOf(api, param(params, "vault_id"))
      const slice = await api.store.signRequests({ vaultId }, pageQuery(query))
      const items = await Promise.all(slice.items.map((request) => answerOf(api, request)))
      return pageOf({ ...slice, items }, (item) => item)
    },
  }),
  route({
    method: "POST",
    path: REQUESTS,
    role: "operate",
    summary: "Ask threshold nodes of a group to sign messages under child keys of the vault",
    body: NewSignRequest,
    handle: async ({ params, body }) => answerOf(api, await createSignRequest(api, param(params, "vault_id"), body)),
  }),
  route({
    method: "GET",
    path: `${REQUESTS}/:sign_request_id`,
    summary: "One signing request, with its signatures once they exist",
    query: WaitQuery,
    handle: async ({ params, query }) =>
      answerOf(
        api,
        await waited(
          api,
          query,
          (request) => request.signRequestId,
          () => requestIn(api, params),
        ),
      ),
  }),
  route({
    method: "POST",
    path: `${REQUESTS}/:sign_request_id/cancel`,
    role: "operate",
    summary: "Cancel a signing request that is still open",
    handle: async ({ params }) => {
      const { signRequestId } = await requestIn(api, params)
      return answerOf(api, await api.engine.cancelSignRequest(signRequestId))
    },
  }),
  ...approvalRoutes(api, `${REQUESTS}/:sign_request_id`, (params) => requestIn(api, params)),
]

const answerOf = async (api: ApiContext, request: SignRequest): Promise<object> =>
  answerWith(api, request, await api.engine.tasksOf(request))

/** The answer for a request. An open one is shown as memory has it, because what nodes say before the end is not stored. */
function answerWith(api: ApiContext, request: SignRequest, tasks: readonly WaasTask[]): object {
  const now = isOpen(request.status) ? signRequestNow(request, tasks, request.updatedMs) : request
  const shown = isOpen(now.status) ? now : request
  const isWaiting = isOpen(shown.status)
  return {
    ...signRequest(shown, tasks),
    waiting_for: isWaiting ? api.engine.waitingFor(tasks) : [],
    awaits_approval: isWaiting && tasks.some(({ awaits = {} }) => Object.keys(awaits).length > 0),
  }
}

async function requestIn(api: ApiContext, params: Readonly<Record<string, string>>): Promise<SignRequest> {
  const { vaultId } = await vaultOf(api, param(params, "vault_id"))
  const id = param(params, "sign_request_id")
  const request = await api.store.signRequest(id)
  if (request?.vaultId !== vaultId) throw notFound("signing request", id)
  return request
}

/** What a signing request has in addition if WaaS makes it for a transaction of a wallet. */
interface MadeHere {
  readonly signRequestId: string
  /** Records that are written in the same commit. */
  readonly beside: readonly StoreWrite[]
  /** The chain that its paths sign for, CAIP-2. */
  readonly chain: string
}

/**
 * Makes a signing request, or returns the one that the same request made before under this request_id. Throws 2006, 2028, 30001 and
 * 30032.
 */
export async function createSignRequest(
  api: ApiContext,
  vaultId: string,
  body: Omit<NewSignRequest, "extra_info"> & { readonly extra_info?: JsonObject },
  made?: MadeHere,
): Promise<SignRequest> {
  const vault = await vaultOf(api, vaultId)
  const messages = body.messages.map(messageOf)
  if ((body.signature_type === 2) !== (body.curve === "ED25519")) {
    throw new ApiFailure(2006, `body.signature_type: ${body.signature_type} does not exist on ${body.curve}`)
  }
  // This comes before every check of the present state, so that a repeated request gets the first answer even if the group has changed.
  const fingerprint = toHex(sha256(utf8(canonicalJson({ vaultId, ...body, messages }))))
  const known = await api.store.signRequestOf(body.request_id)
  if (known?.fingerprint === fingerprint) return known
  const group = await signingGroup(api, vaultId, body.curve, body.key_share_holder_group_id)
  const candidates: Candidates = {
    least: body.payloads === undefined ? 1 : 2,
    online: api.online,
    versions: (nodeId) => api.engine.versions(nodeId),
  }
  const payloads = payloadsOf(body)
  const usualMs = vault.approvalDeadlineMs ?? api.signDeadlineMs
  const limitMs = body.deadline_seconds === undefined ? usualMs : body.deadline_seconds * 1000
  return api.engine.createSignRequest({
    vault,
    group,
    requestId: body.request_id,
    fingerprint,
    curve: body.curve,
    signatureType: body.signature_type,
    nodeIds:
      body.used_tss_node_ids === undefined
        ? signersOrChoice(group, candidates)
        : namedSigners(group, body.used_tss_node_ids, candidates),
    messages: await withHashes(
      messages,
      payloads,
      rootOf(group, body.curve),
      body.signature_type,
      made && (() => [made.chain]),
    ),
    payloads,
    extraInfo: body.extra_info ?? {},
    description: body.description ?? "",
    deadlineMs: api.now() + limitMs,
    ...(made === undefined ? {} : { signRequestId: made.signRequestId, beside: made.beside }),
  })
}

/** The named group, or the main group with a key on the curve. Throws 2028 for an unknown group, 30032 for one without keys. */
async function signingGroup(
  api: ApiContext,
  vaultId: string,
  curve: CurveType,
  groupId: string | undefined,
): Promise<HolderGroup> {
  const group = groupId === undefined ? await mainGroup(api, vaultId, curve) : await groupIn(api, vaultId, groupId)
  if (group === undefined) throw new ApiFailure(30032, `no main group of the vault ${vaultId} has its keys yet`)
  // A New group may already have its key on one curve, if the reshare of the other one did not finish.
  const hasKeys = group.status === "Valid" || (group.status === "New" && group.shareGroups.length > 0)
  if (!hasKeys) throw new ApiFailure(30032, `the group ${group.groupId} is ${group.status}, not Valid`)
  return group
}

/**
 * The main group with the key on this curve. A reshare moves the keys of a vault one by one (engine/reshare.ts), so for a time two main
 * groups may have one key each.
 */
async function mainGroup(api: ApiContext, vaultId: string, curve: CurveType): Promise<HolderGroup | undefined> {
  const newest = { limit: MOST_MAIN_GROUPS, after: undefined, before: undefined }
  const { items } = await api.store.groups({ vaultId, type: "MainGroup" }, newest)
  const inUse = items.filter(({ status }) => status !== "Unavailable")
  const holding = inUse.filter(({ shareGroups }) => shareGroups.some((shareGroup) => shareGroup.curve === curve))
  const isValid = ({ status }: HolderGroup): boolean => status === "Valid"
  return holding.find(isValid) ?? holding[0] ?? inUse.find(isValid)
}

/** Enough to find the one in use: besides it, one may be in the making, and further ones were given up. */
const MOST_MAIN_GROUPS = 50

/**
 * The message in canonical form: canonical path, lower-case hex. wire/task.ts makes the other checks; which path may sign with which
 * algorithm is configured at the nodes.
 */
function messageOf(message: NewSignRequest["messages"][number], index: number): AskedMessage {
  const path = pathOf(message.bip32_path)
  if (typeof path === "string") throw new ApiFailure(2006, `body.messages.${index}.bip32_path: ${path}`)
  return {
    bip32_path: formatPath(path),
    ...(message.msg_hash === undefined ? {} : { msg_hash: message.msg_hash.toLowerCase() }),
    tweak: (message.tweak ?? "").toLowerCase(),
    ...(message.payload === undefined ? {} : { payload: message.payload }),
    ...(message.input === undefined ? {} : { input: message.input }),
  }
}

/** The payloads. Throws 2006 for base64 in another form, for a payload without a message, and for a message without its payload. */
function payloadsOf({
  payloads = [],
  messages,
}: Pick<NewSignRequest, "payloads" | "messages">): readonly TaskPayload[] {
  for (const [index, { data }] of payloads.entries()) {
    if (!isBase64(data)) throw new ApiFailure(2006, `body.payloads.${index}.data: not base64 in its canonical form`)
    if (!messages.some(({ payload }) => payload === index)) {
      throw new ApiFailure(2006, `body.payloads.${index}: no message belongs to it`)
    }
  }
  const missing = messages.findIndex(({ payload }) => payload !== undefined && payload >= payloads.length)
  if (missing >= 0) throw new ApiFailure(2006, `body.messages.${missing}.payload: there is no such payload`)
  return payloads
}

/** The group's root public key on the curve. Throws 30032 if it has none. */
function rootOf({ groupId, shareGroups }: HolderGroup, curve: CurveType): string {
  const found = shareGroups.find((shareGroup) => shareGroup.curve === curve)
  if (found === undefined) throw new ApiFailure(30032, `the group ${groupId} has no key on ${curve}`)
  return found.rootPubkey
}

function pathOf(text: string): readonly number[] | string {
  try {
    return parsePath(text)
  } catch (error) {
    if (error instanceof CosignerError) return error.message
    throw error
  }
}
