/**
 * A group whose members are of two releases, upgraded one process at a time: WaaS first, and WaaS last. After each step every
 * pair of nodes signs, so old and new nodes sign together under either WaaS. In the long suite alone: it builds the previous
 * release from the repository's history.
 */

import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { randomUUID } from "node:crypto"
import { rmSync } from "node:fs"
import { isCode } from "../../src/errors.ts"
import { type DemoVault, generateKeys, makeVault, sign, until } from "../../src/kit/demo/keys.ts"
import { bitcoin, ethereum, solana, taproot } from "../../src/kit/demo/signatures.ts"
import { binary as present } from "../support/binary.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import { buildPrevious, type ReleaseNode, Releases } from "./releases.ts"

setDefaultTimeout(600_000)

const LONG = process.env["COSIGNER_LONG"] === "1"
const dir = LONG ? temporaryFolder("previous").path : ""
const built = LONG ? buildPrevious(dir) : { missing: "only in the long suite: npm run test:long" }
const previous = "binary" in built ? built.binary : ""
const reason = "missing" in built ? ` (skipped: ${built.missing})` : ""

afterAll(() => {
  if (LONG) rmSync(dir, { recursive: true, force: true })
})

/** Every pair of nodes signs with each algorithm. */
async function everyPairSigns(releases: Releases, vault: DemoVault, from: number): Promise<void> {
  const { nodes } = releases
  let index = from
  for (const pair of pairsOf(nodes)) {
    for (const wanted of [solana(vault, index), bitcoin(vault, index), taproot(vault, index)]) {
      const answer = await sign(releases, vault, {
        curve: wanted.curve,
        signatureType: wanted.scheme === "ecdsa" ? 1 : wanted.scheme === "eddsa" ? 2 : 3,
        path: wanted.path,
        message: wanted.message,
        tweak: wanted.tweak,
        nodes: pair,
        extraInfo: {},
      })
      const names = pair.map(({ name }) => name).join(" and ")
      expect({ names, what: wanted.what, answer }).toMatchObject({ answer: { kind: "signed" } })
    }
    index++
  }
}

/** One Ethereum transfer with its payload, by the pair; the reason where it is refused, or the words of the API's answer. */
async function signPayload(
  releases: Releases,
  vault: DemoVault,
  pair: readonly ReleaseNode[],
  index: number,
): Promise<string> {
  const { path, raw } = ethereum(vault, index)
  try {
    const asked = await releases.client.createSignRequest(vault.vaultId, {
      request_id: randomUUID(),
      curve: "SECP256K1",
      signature_type: 1,
      used_tss_node_ids: pair.map(({ nodeId }) => nodeId),
      messages: [{ bip32_path: path, payload: 0 }],
      payloads: [{ format: "evm/transaction", data: Buffer.from(raw).toString("base64") }],
    })
    return await until("a signature over a payload", async () => {
      const { status, failed_reason } = await releases.client.signRequest(vault.vaultId, asked.sign_request_id)
      return status === "Completed" ? status : status === "Failed" || status === "Declined" ? failed_reason : undefined
    })
  } catch (error) {
    if (isCode(error, "E-WAA-012")) return error.data.message
    throw error
  }
}

const pairsOf = (nodes: readonly ReleaseNode[]): readonly (readonly ReleaseNode[])[] =>
  nodes.flatMap((one, i) => nodes.slice(i + 1).map((other) => [one, other]))

/** Shares are dealt again to the same nodes, by whatever releases they are of. */
async function refresh({ client }: Releases, { vaultId, holderGroupId }: DemoVault): Promise<void> {
  const asked = await client.createReshare(vaultId, {
    type: "KeyReshare",
    target_key_share_holder_group_id: holderGroupId,
    source_key_share_holder_group: { key_share_holder_group_id: holderGroupId },
    description: "refresh",
  })
  await until("a refresh", async () => {
    const { status, failed_reason } = await client.tssRequest(vaultId, asked.tss_request_id)
    if (status.endsWith("Failed")) throw new Error(failed_reason ?? status)
    return status === "Success" ? true : undefined
  })
}

describe.skipIf(previous === "")(`one process at a time${reason}`, () => {
  /** All of it of the previous release. */
  async function begin(): Promise<{ readonly releases: Releases; readonly vault: DemoVault }> {
    const releases = await Releases.make(previous, 3)
    await releases.waas(previous)
    const bound = await makeVault(releases, releases.nodes, 2)
    for (const node of releases.nodes) await releases.node(node, previous)
    const vault = await generateKeys(releases, bound)
    await everyPairSigns(releases, vault, 0)
    return { releases, vault }
  }

  /** The nodes stay up, and come back to it by themselves. */
  async function replaceWaas(releases: Releases): Promise<void> {
    await releases.waas(present)
    for (const node of releases.nodes) await releases.registered(node, 2)
  }

  test("WaaS first", async () => {
    const { releases, vault } = await begin()
    await using _ = releases
    await replaceWaas(releases)
    await everyPairSigns(releases, vault, 10)
    for (const [i, node] of releases.nodes.entries()) {
      await releases.node(node, present)
      const [first, second, third] = releases.nodes
      if (first === undefined || second === undefined || third === undefined) throw new Error("three nodes")
      // What is new works as soon as all signers have it; before, the answer names the node to upgrade.
      const answer = await signPayload(releases, vault, [first, second], 100 + i)
      if (i > 0) expect(answer).toBe("Completed")
      else {
        expect(answer).toContain("E-WAA-028")
        expect(answer).toContain(second.nodeId)
        expect(answer).not.toContain(first.nodeId)
      }
      await everyPairSigns(releases, vault, 20 + 10 * i)
      if (i === 0) await refresh(releases, vault)
    }
    await refresh(releases, vault)
    await everyPairSigns(releases, vault, 60)
  })

  test("WaaS last", async () => {
    const { releases, vault } = await begin()
    await using _ = releases
    for (const [i, node] of releases.nodes.entries()) {
      await releases.node(node, present)
      await everyPairSigns(releases, vault, 10 + 10 * i)
      if (i === 0) await refresh(releases, vault)
    }
    await replaceWaas(releases)
    await everyPairSigns(releases, vault, 60)
    await refresh(releases, vault)
    await everyPairSigns(releases, vault, 70)
  })
})

if (previous === "") test.skip(`the previous release${reason}`, () => {})
