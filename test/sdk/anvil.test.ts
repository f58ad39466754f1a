/**
 * Transfers on a real EVM node: WaaS builds, two of three nodes sign, the chain mines, balances are what they should be. Part of
 * the long suite; needs `anvil` (npm: `@foundry-rs/anvil-linux-amd64`), named by COSIGNER_ANVIL, and is skipped without.
 */
import { expect, test } from "bun:test"
import { Interface, JsonRpcProvider, parseEther } from "ethers"
import { fromHex, toHex } from "../../src/bytes.ts"
import { generateKeys, makeVault } from "../../src/kit/demo/keys.ts"
import { Secret } from "../../src/secret.ts"
import { signedHash } from "../../src/waas/api/canonical.ts"
import { signApiHash } from "../../src/waas/apiKey.ts"
import { type TestDeployment, testDeployment } from "../e2e/deployment.ts"
import { cosigner } from "../support/binary.ts"
import { must } from "../support/waas.ts"

const anvil = process.env["COSIGNER_ANVIL"]
const skipped = anvil === undefined ? "COSIGNER_ANVIL names no anvil" : undefined
if (skipped !== undefined) console.log(`skipped: ${skipped}`)

const TO = "0x00000000000000000000000000000000000000AA"
const ERC20 = new Interface([
  "function transfer(address,uint256) returns (bool)",
  "function balanceOf(address) view returns (uint256)",
])

test.skipIf(skipped !== undefined)(
  "a payment and a token's transfer are built, signed by two of three, mined, and the balances are right",
  async () => {
    await using chain = await startChain()
    const { provider } = chain
    const rich = await provider.getSigner(0)
    const deployed = await rich.sendTransaction({ data: tokenCode() })
    const token = must((await deployed.wait())?.contractAddress ?? undefined)
    const chains = `[[waas.chains]]\nid = "LOCAL"\ncaip2 = "eip155:31337"\ncoin_type = 60\nrpc_url = "${chain.url}"\n`
    const tokens = `[[waas.tokens]]\nid = "LOCAL_USD"\nchain = "LOCAL"\ncontract = "${token.toLowerCase()}"\ndecimals = 6\n`
    // the chain is nobody's main network: each node's file says that these paths sign for it
    const paths = '[[intent.paths]]\npath = "m/44/60/**"\nchain = "eip155:31337"\n'
    await using it = await testDeployment(
      3,
      () => paths,
      (toml) => `${toml}\n${chains}${tokens}`,
    )
    const call = await caller(it)
    const { deployment } = it
    const bound = await makeVault(deployment, deployment.nodes, 2)
    await Promise.all(deployment.nodes.map((node) => deployment.startNode(node)))
    const { vaultId } = await generateKeys(deployment, bound)
    const kind = { wallet_type: "MPC", wallet_subtype: "Org-Controlled" }
    const wallet = (await call("POST", "/v2/wallets", { name: "w", ...kind, vault_id: vaultId })).wallet_id
    const [made] = await call("POST", `/v2/wallets/${wallet}/addresses`, { chain_id: "LOCAL", count: 1 })
    const account = String(made.address)
    await (await rich.sendTransaction({ to: account, value: parseEther("10") })).wait()
    const funded = ERC20.encodeFunctionData("transfer", [account, 5_000_000n])
    await (await rich.sendTransaction({ to: token, data: funded })).wait()

    const transfer = async (token_id: string, amount: string, more: object = {}) => {
      const asked = await call("POST", "/v2/transactions/transfer", {
        request_id: crypto.randomUUID(),
        token_id,
        source: { source_type: "Org-Controlled", wallet_id: wallet, address: account },
        destination: { destination_type: "Address", account_output: { address: TO, amount } },
        ...more,
      })
      return String(asked.transaction_id)
    }
    const ended = async (id: string) => {
      for (;;) {
        const found = await call("GET", `/v2/transactions/${id}`)
        if (["Completed", "Failed", "Rejected"].includes(found.status)) return found
        await Bun.sleep(50)
      }
    }
    const coins = await ended(await transfer("LOCAL", "1.25"))
    expect([coins.status, coins.failed_reason]).toEqual(["Completed", undefined])
    expect(await provider.getBalance(TO)).toBe(parseEther("1.25"))
    const tokensSent = await ended(await transfer("LOCAL_USD", "2.5"))
    expect([tokensSent.status, tokensSent.failed_reason]).toEqual(["Completed", undefined])
    const balance = async (of: string) =>
      ERC20.decodeFunctionResult(
        "balanceOf",
        await provider.call({ to: token, data: ERC20.encodeFunctionData("balanceOf", [of]) }),
      )[0]
    expect([await balance(TO), await balance(account)]).toEqual([2_500_000n, 2_500_000n])

    // signed only, two in a row, and broadcast by the caller
    const first = await transfer("LOCAL", "1", { transaction_process_type: "SignOnly" })
    const second = await transfer("LOCAL", "2", { transaction_process_type: "SignOnly" })
    const both = [await ended(first), await ended(second)]
    for (const { raw_tx_info } of both) await (await provider.broadcastTransaction(raw_tx_info.raw_tx)).wait()
    expect(await provider.getBalance(TO)).toBe(parseEther("4.25"))
  },
  180_000,
)

// biome-ignore lint/suspicious/noExplicitAny: answers of every shape
type Call = (method: string, path: string, body?: object) => Promise<any>

/** Signs and sends requests with a key of the deployment's WaaS. */
async function caller({ deployment }: TestDeployment): Promise<Call> {
  const made = await cosigner(["waas", "key", "create", "--dir", "waas", "--name", "t", "--json"], {
    cwd: deployment.dir,
  })
  const { secret, public_key } = JSON.parse(made.stdout)
  const key = Secret.take(must(fromHex(secret)))
  let last = 0
  return async (method, path, body) => {
    last = Math.max(last + 1, Date.now())
    const text = body === undefined ? "" : JSON.stringify(body)
    const hash = signedHash([method, path, last, "", text].join("|"))
    const answer = await fetch(`${deployment.url}${path}`, {
      method,
      ...(text === "" ? {} : { body: text }),
      headers: {
        "content-type": "application/json",
        "BIZ-API-KEY": public_key,
        "BIZ-API-NONCE": String(last),
        "BIZ-API-SIGNATURE": toHex(signApiHash("ed25519", key, hash)),
      },
    })
    const json = await answer.json()
    if (!answer.ok) throw new Error(`${method} ${path}: ${JSON.stringify(json)}`)
    return json
  }
}

async function startChain() {
  const child = Bun.spawn([anvil ?? "", "--port", "0", "--host", "127.0.0.1"], { stdout: "pipe", stderr: "ignore" })
  const decoder = new TextDecoder()
  let said = ""
  let url: string | undefined
  for await (const chunk of child.stdout) {
    said += decoder.decode(chunk, { stream: true })
    const address = /Listening on ([0-9.:]+)/.exec(said)?.[1]
    if (address === undefined) continue
    url = `http://${address}`
    break
  }
  if (url === undefined) throw new Error(`anvil does not say where it listens: ${said}`)
  const provider = new JsonRpcProvider(url, undefined, { staticNetwork: true, pollingInterval: 50 })
  return {
    url,
    provider,
    async [Symbol.asyncDispose]() {
      provider.destroy()
      child.kill()
      await child.exited
    },
  }
}

/** A token of 10^15 units for whoever makes it: balances stand at the account's own number in storage. */
function tokenCode(): string {
  const runtime = assemble([
    ...["6000", "35", "60e0", "1c"], // the selector
    ...["80", "6370a08231", "14", ">balance", "57"],
    ...["63a9059cbb", "14", ">transfer", "57", ">refuse", "56"],
    ...[":balance", "6004", "35", "54", "6000", "52", "6020", "6000", "f3"],
    ...[":transfer", "6024", "35", "33", "54"], // amount, balance
    ...["81", "81", "10", ">refuse", "57"], // less than the amount
    ...["81", "90", "03", "33", "55"], // balance - amount for the caller
    ...["6004", "35", "80", "54", "82", "01", "90", "55", "50"],
    ...["6001", "6000", "52", "6020", "6000", "f3"],
    ...[":refuse", "6000", "80", "fd"],
  ])
  const length = (runtime.length / 2).toString(16).padStart(2, "0")
  const supply = (10n ** 15n).toString(16).padStart(16, "0")
  // where the runtime begins: behind this code, whose length does not depend on it
  const init = (at: string): string => `67${supply}335560${length}8060${at}6000396000f3`
  return `0x${init((init("00").length / 2).toString(16).padStart(2, "0"))}${runtime}`
}

/** `:name` is a place, `>name` a push of it; everything else is code. */
function assemble(words: readonly string[]): string {
  const places = new Map<string, number>()
  let at = 0
  for (const word of words) {
    if (word.startsWith(":")) places.set(word.slice(1), at)
    at += word.startsWith(":") ? 1 : word.startsWith(">") ? 2 : word.length / 2
  }
  return words
    .map((word) => {
      if (word.startsWith(":")) return "5b"
      return word.startsWith(">")
        ? `60${must(places.get(word.slice(1)))
            .toString(16)
            .padStart(2, "0")}`
        : word
    })
    .join("")
}
