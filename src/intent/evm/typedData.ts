/**
 * `evm/typed-data`: EIP-712 as JSON with `types`, `primaryType`, `domain` and `message`, and nothing else. The digest is computed
 * here from the same values that are shown.
 */
import { type Bytes, concat } from "../../bytes.ts"
import { ethereumAddress } from "../../keys/addresses.ts"
import { ANY_EVM, evmChain } from "../caip.ts"
import { allowChain, type Context, type Decoder, demandSignature, onlyMessage } from "../decoder.ts"
import { attempt, excerpt, refuse } from "../problem.ts"
import type { Account, Reading } from "../reading.ts"
import { keccak } from "./address.ts"
import { EffectList } from "./calls.ts"
import { accountOf, nativeAsset, noFee } from "./chain.ts"
import { parseJsonTree } from "./jsonTree.ts"
import { allowAnyEvm } from "./message.ts"
import { readKnown } from "./typedKnown.ts"
import { hashStruct, type Struct } from "./typedValues.ts"
import { DOMAIN, TypeGraph } from "./typeGraph.ts"

export const typedDataDecoder: Decoder = {
  format: "evm/typed-data",
  decode: (data, context) => attempt(() => readingOf(data, context)),
}

export interface TypedDocument {
  readonly graph: TypeGraph
  readonly domain: Struct
  readonly message: Struct
  /** hashStruct of the message. */
  readonly hash: Bytes
  /** Keccak of 0x1901, the domain separator and the message's hash. */
  readonly digest: Bytes
}

function readingOf(payload: Uint8Array, context: Context): Reading {
  const document = parseTypedData(payload)
  const { graph, domain, hash, digest } = document
  const message = onlyMessage(context)
  demandSignature(context, "secp256k1", ["ECDSA"])
  const { chain, native } = chainOf(domain, context)
  const signer = accountOf(message?.publicKey, ethereumAddress)
  const contract = domain.has("verifyingContract") ? domain.address("verifyingContract") : undefined
  const effects = new EffectList(chain, native)
  effects.push({
    kind: "typed_data",
    from: signer,
    ...(contract === undefined ? {} : { to: contract }),
    domain: domain.has("name") ? domain.text("name") : "",
    primaryType: graph.primary,
    encodeType: graph.encodeType(graph.primary),
    hash,
  })
  readKnown(document, { signer, contract, effects, owner: ownerOf(signer, chain, context) })
  return {
    format: "evm/typed-data",
    chain,
    from: typeof signer === "string" ? [signer] : [],
    effects: effects.list,
    fee: noFee(chain),
    signs: [{ path: message?.path, bytes: digest }],
  }
}

/** Data whose domain names no chain is valid on every chain. */
function chainOf(domain: Struct, context: Context): { chain: string; native: string } {
  if (!domain.has("chainId")) {
    allowAnyEvm(context)
    return { chain: ANY_EVM, native: `${ANY_EVM}/slip44:60` }
  }
  const chainId = domain.uint("chainId")
  if (chainId === 0n) refuse("E-INT-022", "domain.chainId", "it is 0")
  const chain = evmChain(chainId)
  allowChain(context, chain, "domain.chainId")
  return { chain, native: nativeAsset(chainId, context) }
}

/** Accepts the key's own address and contract accounts of the configuration. We cannot sign for any other account. */
const ownerOf =
  (signer: Account, chain: string, { settings }: Context) =>
  (account: string, at: string): string => {
    const isContract = settings.evm.contractAccounts.some((one) => one.chain === chain && one.address === account)
    if (typeof signer !== "string" || account === signer || isContract) return account
    return refuse("E-INT-031", at, `${account}, and the key's is ${signer}`)
  }

const MEMBERS = ["types", "primaryType", "domain", "message"] as const

/** Refuses data that is not exactly one document. */
export function parseTypedData(payload: Uint8Array): TypedDocument {
  const tree = parseJsonTree(payload)
  if (tree.kind !== "object") return refuse("E-INT-028", "character 0", "it is not an object")
  for (const name of tree.members.keys()) {
    if (!MEMBERS.some((known) => known === name)) refuse("E-INT-028", excerpt(name), "it is no member of typed data")
  }
  const [types, primaryType, domainValue, messageValue] = MEMBERS.map(
    (name) => tree.members.get(name) ?? refuse("E-INT-028", name, "it is missing"),
  )
  if (types === undefined || domainValue === undefined || messageValue === undefined || primaryType?.kind !== "text")
    return refuse("E-INT-028", "primaryType", "it is not text")
  const graph = new TypeGraph(types, primaryType.text)
  checkDomain(graph)
  const domain = hashStruct(graph, DOMAIN, domainValue, "domain")
  const message = hashStruct(graph, graph.primary, messageValue, "message")
  const digest = keccak(concat(PREFIX, domain.word, message.word))
  return { graph, domain: domain.value, message: message.value, hash: message.word, digest }
}

const PREFIX = Uint8Array.of(0x19, 0x01)

/** The members that a domain may have, in this order (EIP-712). */
const DOMAIN_MEMBERS: readonly string[] = [
  "string name",
  "string version",
  "uint256 chainId",
  "address verifyingContract",
  "bytes32 salt",
]

function checkDomain(graph: TypeGraph): void {
  const members = graph.members(DOMAIN).map(({ text, name }) => `${text} ${name}`)
  const places = members.map((member) => DOMAIN_MEMBERS.indexOf(member))
  const inOrder = places.every((place, i) => place > (places[i - 1] ?? -1))
  if (members.length === 0 || !inOrder)
    refuse("E-INT-029", `types.${DOMAIN}`, "its members are not those of EIP-712 in their order")
}
