/** Sample tasks and nodes for the tests of wire, link and relay. */
import { generateKeyPairSync } from "node:crypto"
import type { PartyId } from "../../src/keys/party.ts"
import { partyOf } from "../../src/keys/party.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { type Signer, signerOf } from "../../src/wire/signed.ts"
import type { KeyGenTask, KeyReshareTask, KeyShareSignTask, KeySignTask } from "../../src/wire/task.ts"

export interface Identity extends Signer {
  readonly party: PartyId
  readonly nodeId: string
}

export function newIdentity(): Identity {
  const signer = signerOf(generateKeyPairSync("ed25519").privateKey)
  const party = partyOf(signer.publicKey)
  if (party === undefined) throw new TypeError("an Ed25519 key has 32 bytes")
  return { ...signer, party, nodeId: nodeIdOf(party) }
}

const ids = Array.from({ length: 33 }, () => newIdentity().nodeId)
/** `count` different node ids. */
export const someNodeIds = (count: number): string[] => ids.slice(0, count)

const XPUB =
  "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265TMg7usUDFdp6W1EGMcet8"

const common = {
  version: 1,
  task_id: "7d1e3f0a-0001",
  biz_task_id: "20261122094459000132315000003970",
  created_ms: 1_795_341_000_000,
  deadline_ms: 1_795_341_600_000,
  extra_info: { org: { org_id: "5f0c" } },
} as const

export const keyGen: KeyGenTask = {
  ...common,
  type: "KeyGen",
  group_id: "OoQGkknsPdPjLCmSuuSf",
  curve: "ed25519",
  threshold: 2,
  node_ids: someNodeIds(3),
}

export const keySign: KeySignTask = {
  ...common,
  type: "KeySign",
  group_id: "OoQGkknsPdPjLCmSuuSf",
  root_pub_key: XPUB,
  used_node_ids: someNodeIds(2),
  signature_type: 2,
  messages: [{ bip32_path: "m/44/501/0/0/5", msg_hash: "0x0102", tweak: "" }],
}

export const keyReshare: KeyReshareTask = {
  ...common,
  type: "KeyReshare",
  mode: "extend",
  old_group_id: "OoQGkknsPdPjLCmSuuSf",
  new_group_id: "vnJShriEOIzBLaOUxUDs",
  root_pub_key: XPUB,
  curve: "secp256k1",
  old_threshold: 2,
  used_node_ids: someNodeIds(2),
  new_threshold: 2,
  new_node_ids: someNodeIds(3),
}

export const keyShareSign: KeyShareSignTask = {
  ...common,
  type: "KeyShareSign",
  node_id: someNodeIds(1)[0] ?? "",
  details: [{ group_id: "OoQGkknsPdPjLCmSuuSf", message: "prove it" }],
}
