/** The JSON-RPC endpoint of an EVM chain, played by a test. */
import { Transaction } from "ethers"

/** An endpoint of a chain. `answers` wins over its own words; an Error is told as the endpoint's error. */
export function evmEndpoint(answers: Record<string, (params: readonly unknown[]) => unknown> = {}) {
  const sent: string[] = []
  const asked: string[] = []
  const own: Record<string, (params: readonly unknown[]) => unknown> = {
    eth_chainId: () => "0x1",
    eth_getTransactionCount: () => "0x7",
    eth_estimateGas: () => "0x5208",
    eth_maxPriorityFeePerGas: () => "0x3b9aca00",
    eth_getBlockByNumber: () => ({ baseFeePerGas: "0x2540be400" }),
    eth_sendRawTransaction: ([raw]) => {
      sent.push(String(raw))
      return Transaction.from(String(raw)).hash
    },
    eth_getTransactionByHash: ([hash]) => (sent.some((raw) => Transaction.from(raw).hash === hash) ? { hash } : null),
    eth_getTransactionReceipt: () => null,
  }
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      const { method, params } = (await request.json()) as { method: string; params: readonly unknown[] }
      asked.push(method)
      const result = await (answers[method] ?? own[method])?.(params)
      if (result instanceof Response) return result
      const body = result instanceof Error ? { error: { code: -32000, message: result.message } } : { result }
      return Response.json({ jsonrpc: "2.0", id: 1, ...body })
    },
  })
  return { url: server.url.origin, sent, asked, answers, [Symbol.asyncDispose]: () => server.stop(true) }
}
