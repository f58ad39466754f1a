/** Small makers of rules and requests for the tests of policy/. */
import type { KeySignRequest } from "../../src/policy/request.ts"
import { checkRules, type Rules } from "../../src/policy/schema.ts"

export const NOW = 1_795_340_699_000

export function rulesOf(table: object): Rules {
  const checked = checkRules(table)
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  return checked.rules
}

export const noUsage = { count: () => 0 }

export const signRequest = (over: Partial<KeySignRequest> = {}): KeySignRequest => ({
  type: "key_sign",
  taskId: "task-1",
  extraInfo: {},
  groupId: "g1",
  rootPubKey: "xpubA",
  rootKey: "secp256k1/02aa",
  curve: "secp256k1",
  signatureType: "ECDSA",
  usedNodeIds: ["n1", "n2"],
  messages: [{ path: [44, 60, 0, 0, 5], hash: `0x${"11".repeat(32)}` }],
  ...over,
})
