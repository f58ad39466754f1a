/** `cosigner client request list|show|cancel`: for a signing request or a TSS request; the form of the id tells which. */
import { EXIT } from "../../errors/entry.ts"
import { decodeExtendedPublicKey } from "../../keys/extendedKey.ts"
import type { Client, SignRequestObject, TssRequestObject } from "../../waas/client.ts"
import { curveNameOf } from "../../waas/engine/requests.ts"
import { command, flag, required } from "../command.ts"
import { connect, type Profile, profileOption } from "./profile.ts"
import { limitOption, vaultOption, walk } from "./vault.ts"
import { amiss, checkedVault, checkSignatures, rootOf, vaultIdOf } from "./verified.ts"
import { signEnding, timeoutOption, tssEnding, untilEnded } from "./wait.ts"

/** formats.md 6: decimal digits that begin with a time. */
export const isTssRequest = (id: string): boolean => /^\d{32}$/.test(id)

/** The request as WaaS returns it, after its signatures were verified under the vault's root key. */
async function verifiedRequest(
  client: Client,
  profile: Profile,
  vaultId: string,
  request: SignRequestObject,
): Promise<SignRequestObject> {
  if (request.signatures.length > 0) {
    const vault = checkedVault(await client.vault(vaultId), vaultId, profile)
    const root = rootOf(vault, curveNameOf(request.curve))
    decodeExtendedPublicKey(root)
    checkSignatures(root, request)
  }
  return request
}

export const signLines = (request: SignRequestObject): readonly string[] => [
  `Request: ${request.sign_request_id} (${request.status})`,
  ...(request.failed_reason === "" ? [] : [`Reason: ${request.failed_reason}`]),
  ...(request.waiting_for ?? []).map((node) => `Waiting for: ${node}`),
  ...request.signatures.flatMap(({ bip32_path, msg_hash, public_key, signature, signature_recovery }) => [
    `${bip32_path} signed ${msg_hash.length > 66 ? `${msg_hash.slice(0, 66)}...` : msg_hash}`,
    `  public key ${public_key}`,
    `  signature  ${signature}${signature_recovery === "" ? "" : ` recovery ${signature_recovery}`}`,
  ]),
]

const tssLines = (request: TssRequestObject): readonly string[] => [
  `Request: ${request.tss_request_id} ${request.type} (${request.status})`,
  ...(request.failed_reason === undefined ? [] : [`Reason: ${request.failed_reason}`]),
]

/** The answer must be about the requested id. */
function sameId<T>(asked: string, told: string, answer: T): T {
  if (told !== asked) throw amiss(`asked for request ${asked}, it told of ${told}`)
  return answer
}

const when = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z")

export const list = command({
  summary: "List the signing requests of a vault; their signatures are verified again",
  options: { profile: profileOption, vault: vaultOption, limit: limitOption },
  run: async ({ options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const vaultId = vaultIdOf(options.vault, profile)
    const found = await walk(options.limit, (query) => client.signRequests(vaultId, query))
    const vault = checkedVault(await client.vault(vaultId), vaultId, profile)
    for (const request of found)
      if (request.signatures.length > 0) checkSignatures(rootOf(vault, curveNameOf(request.curve)), request)
    const rows = found.map((request) => ({ ...request, verified: request.signatures.length > 0 }))
    const lines = found.map(({ sign_request_id, status, created_timestamp, description }) =>
      `${sign_request_id}  ${when(created_timestamp)}  ${status}  ${description}`.trimEnd(),
    )
    out.result(rows, lines.length === 0 ? ["No signing requests yet"] : lines)
    return EXIT.ok
  },
})

export const show = command({
  summary: "Show a request; its signatures are verified again",
  args: { id: required("request-id", "of a signing request or a TSS request") },
  options: {
    profile: profileOption,
    vault: vaultOption,
    wait: flag("--wait", "wait until it has ended, and say how it goes"),
    timeout: timeoutOption,
  },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const vaultId = vaultIdOf(options.vault, profile)
    const { id } = args
    const progress = { what: `request ${id}`, seconds: options.timeout, out }
    if (isTssRequest(id)) {
      const ask = async () => {
        const found = await client.tssRequest(vaultId, id)
        return sameId(id, found.tss_request_id, found)
      }
      const request = options.wait ? await untilEnded(progress, tssEnding(ask)) : await ask()
      out.result(request, tssLines(request))
      return EXIT.ok
    }
    const ask = async () => {
      const found = await client.signRequest(vaultId, id)
      return sameId(id, found.sign_request_id, found)
    }
    const request = options.wait ? await untilEnded(progress, signEnding(ask)) : await ask()
    await verifiedRequest(client, profile, vaultId, request)
    out.result({ ...request, verified: request.signatures.length > 0 }, signLines(request))
    return EXIT.ok
  },
})

export const cancel = command({
  summary: "Cancel a request that is still open",
  args: { id: required("request-id", "of a signing request or a TSS request") },
  options: { profile: profileOption, vault: vaultOption },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const { client, profile } = connection
    const vaultId = vaultIdOf(options.vault, profile)
    if (isTssRequest(args.id)) {
      const request = await client.cancelTssRequest(vaultId, args.id)
      out.result(request, [`Cancelled: ${args.id}`])
      return EXIT.ok
    }
    const request = await client.cancelSignRequest(vaultId, args.id)
    out.result(request, [`Cancelled: ${args.id} (${request.status})`])
    return EXIT.ok
  },
})
