/**
 * Calls to the JSON-RPC endpoint of an EVM chain. Answers are untrusted: bounded and read field by field. They cannot decide what is
 * signed, because nodes read the transaction themselves.
 */
import { errnoOf } from "../../files.ts"
import { AS_IT_IS, type Fetch, readBounded, requestOptions } from "../../outbound.ts"
import { ApiFailure } from "../failure.ts"
import type { Chain } from "./chains.ts"

const TIMEOUT_MS = 5_000
const ANSWER_BYTES = 262_144

export type JsonRpc = (method: string, params: readonly unknown[]) => Promise<unknown>

/** The endpoint answered with an error; the message is its own, made printable and cut. */
export class RpcRefusal extends Error {
  override readonly name = "RpcRefusal"
}

/**
 * The endpoint of the chain as a function. Throws 2029 if the chain has none. The function rejects with 2029 if the endpoint does not
 * answer or its answer cannot be read, and with RpcRefusal if it answers with an error.
 */
export function jsonRpcOf(chain: Chain, fetch: Fetch): JsonRpc {
  const { rpcUrl, chainId } = chain
  if (rpcUrl === undefined) {
    throw new ApiFailure(2029, `${chainId} has no endpoint here: give rpc_url in [[waas.chains]] of waas.toml`)
  }
  return async (method, params) => {
    const answer = await asked(rpcUrl, JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }), chainId, fetch)
    if (typeof answer !== "object" || answer === null) throw unusable(chainId, "it answered no JSON object")
    const error: unknown = Reflect.get(answer, "error")
    if (error !== undefined && error !== null) throw new RpcRefusal(wordsOf(error))
    return Reflect.get(answer, "result")
  }
}

async function asked(url: string, body: string, chainId: string, fetch: Fetch): Promise<unknown> {
  try {
    const answer = await fetch(url, {
      ...requestOptions(),
      method: "POST",
      headers: { "content-type": "application/json", ...AS_IT_IS },
      body,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const text = await readBounded(answer, ANSWER_BYTES)
    if (text === undefined) throw unusable(chainId, `its answer is longer than ${ANSWER_BYTES} bytes`)
    return JSON.parse(text.toString("utf8"))
  } catch (error) {
    if (error instanceof ApiFailure) throw error
    const problem =
      error instanceof SyntaxError
        ? "its answer is no JSON"
        : (errnoOf(error) ?? (error instanceof Error ? error.name : "unknown error"))
    throw unusable(chainId, problem)
  }
}

const unusable = (chainId: string, problem: string): ApiFailure =>
  new ApiFailure(2029, `the endpoint of ${chainId} cannot be used: ${problem}`)

/** The error's message, printable and short, because it goes to the caller. */
function wordsOf(error: unknown): string {
  const message = typeof error === "object" && error !== null ? Reflect.get(error, "message") : undefined
  const text = typeof message === "string" ? message : "an error without words"
  return text.replace(/[^\x20-\x7e]/g, " ").slice(0, 300)
}

/** Reads a quantity that fits into a number, such as a nonce. Throws 2029. */
export function count(value: unknown, what: string): number {
  const found = Number(quantity(value, what))
  if (Number.isSafeInteger(found)) return found
  throw new ApiFailure(2029, `the endpoint answered no number for ${what}`)
}

/** Reads a hash: `0x` and 64 hex digits. Throws 2029. */
export function hash32(value: unknown, what: string): string {
  if (typeof value === "string" && /^0x[0-9a-fA-F]{64}$/.test(value)) return value
  throw new ApiFailure(2029, `the endpoint answered no hash of ${what}`)
}

/** Reads a quantity: `0x` and 1 to 64 hex digits. Throws 2029. */
export function quantity(value: unknown, what: string): bigint {
  if (typeof value === "string" && /^0x[0-9a-fA-F]{1,64}$/.test(value)) return BigInt(value)
  throw new ApiFailure(2029, `the endpoint answered no number for ${what}`)
}
