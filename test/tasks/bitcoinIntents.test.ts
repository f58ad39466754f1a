/** Tasks with PSBTs: path, input, tweak and kind of signature reach the decoder, at WaaS and at the node alike. */
import { describe, expect, test } from "bun:test"
import { toHex } from "../../src/bytes.ts"
import { encodeExtendedPublicKey } from "../../src/keys/extendedKey.ts"
import { formatPath } from "../../src/keys/path.ts"
import { DEFAULT_INTENT_SETTINGS, intentKeyOf, isUnread, readIntents } from "../../src/tasks/intents.ts"
import { withHashes } from "../../src/waas/engine/payloads.ts"
import type { KeySignTask, SignatureType } from "../../src/wire/task.ts"
import {
  ALICE,
  ALICE_ADDRESS,
  NESTED,
  P2PKH,
  P2TR,
  P2WPKH,
  pay,
  planWith,
  spend,
  TREE,
} from "../intent/bitcoin/simple.ts"
import { digestOf, encode, isTaproot, MERKLE_ROOT, type Mine, ROOT } from "../intent/bitcoin/wallet.ts"
import { readingNode, withPayloads } from "./payloads.ts"

const ROOT_KEY = encodeExtendedPublicKey(ROOT)

function paymentOf(mine: Mine) {
  const plan = planWith([spend(mine, 100_000n)], [pay(ALICE, 60_000n)])
  const data = Buffer.from(encode(plan)).toString("base64")
  const tweak = mine.kind === "p2tr" ? "0x" : mine.kind === "p2tr-tree" ? `0x${toHex(MERKLE_ROOT)}` : ""
  const signatureType: SignatureType = isTaproot(mine.kind) ? 3 : 1
  return {
    payloads: [{ format: "bitcoin/psbt", data }],
    message: { bip32_path: formatPath(mine.path), tweak, payload: 0, input: 0 },
    hash: `0x${toHex(digestOf(plan, 0))}`,
    signatureType,
  }
}

async function codeOrText(change: Partial<KeySignTask>): Promise<string | undefined> {
  const task: KeySignTask = { ...withPayloads(readingNode().w), root_pub_key: ROOT_KEY, ...change }
  const intents = await readIntents(task, intentKeyOf(ROOT_KEY), DEFAULT_INTENT_SETTINGS)
  return isUnread(intents) ? intents.code : intents[0]?.text[0]
}

describe("a payment from every kind of script", () => {
  for (const mine of [P2PKH, NESTED, P2WPKH, P2TR, TREE]) {
    test(mine.kind, async () => {
      const { payloads, message, hash, signatureType } = paymentOf(mine)
      const filled = await withHashes([message], payloads, ROOT_KEY, signatureType)
      expect(filled).toEqual([{ ...message, msg_hash: hash }])
      const task = { payloads, messages: filled, signature_type: signatureType }
      expect(await codeOrText(task)).toStartWith(`transfer 0.0006 BTC to ${ALICE_ADDRESS} on bip122:`)
    })
  }
})

test("another tweak than the output's, no input, another's hash: refused", async () => {
  const { payloads, message, hash, signatureType } = paymentOf(P2TR)
  const code = (change: object) =>
    codeOrText({ payloads, messages: [{ ...message, msg_hash: hash, ...change }], signature_type: signatureType })
  expect(await code({})).toStartWith("transfer")
  expect(await code({ tweak: "" })).toBe("E-INT-070")
  expect(await code({ tweak: `0x${toHex(MERKLE_ROOT)}` })).toBe("E-INT-070")
  expect(await code({ input: 1 })).toBe("E-INT-072")
  expect(await code({ msg_hash: paymentOf(TREE).hash })).toBe("E-INT-005")
})
