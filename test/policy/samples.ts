/** Small makers of rules and requests for the tests of policy/. */
import { NO_USAGE } from "../../src/policy/decision.ts"
import type { KeySignRequest, PolicyRequest, Section } from "../../src/policy/request.ts"
import { payment } from "../../src/policy/ruleCases.ts"
import { checkRules, type Rules } from "../../src/policy/schema.ts"
import { EFFECTS } from "../intent/sample.ts"
import type { SeededRandom } from "../support/seededRandom.ts"

export const NOW = 1_795_340_699_000

export function rulesOf(table: object): Rules {
  const checked = checkRules(table)
  if (!checked.ok) throw new Error(JSON.stringify(checked.problems))
  return checked.rules
}

export const noUsage = NO_USAGE

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
  intents: [],
  messages: [{ path: [44, 60, 0, 0, 5], hash: `0x${"11".repeat(32)}` }],
  ...over,
})

/** Any request of a section. */
export function randomRequest(section: Section, random: SeededRandom): PolicyRequest {
  const some = (name: string, least = 1) => Array.from({ length: random.between(least, 5) }, (_, i) => `${name}${i}`)
  const curve = random.pick(["secp256k1", "ed25519"] as const)
  const common = { taskId: `task-${random.below(99)}`, extraInfo: random.percent(50) ? {} : { org: { org_id: "o" } } }
  const threshold = random.between(1, 2)
  const rootPubKey = random.pick(["xpubA", "xpubB"])
  switch (section) {
    case "key_gen":
      return { ...common, type: section, groupId: "g9", curve, threshold, nodeIds: some("n", 2) }
    case "key_sign":
      return {
        ...common,
        type: section,
        groupId: random.pick(["g1", "g2"]),
        rootPubKey,
        rootKey: `${curve}/02aa`,
        curve,
        signatureType: curve === "ed25519" ? "EdDSA" : random.pick(["ECDSA", "Schnorr"] as const),
        usedNodeIds: some("n"),
        ...signing(some("m").length, random),
      }
    case "key_reshare":
      return {
        ...common,
        type: section,
        oldGroupId: random.pick(["g1", "g2"]),
        newGroupId: "g9",
        rootPubKey,
        curve,
        usedNodeIds: some("n"),
        oldThreshold: threshold,
        newThreshold: threshold,
        newNodeIds: some("n", 2),
      }
    case "key_share_sign":
      return { ...common, type: section, groupIds: some("g") }
  }
}

/** Messages, some with payloads of one to three effects, none of which is unresolved. */
function signing(count: number, random: SeededRandom): Pick<KeySignRequest, "messages" | "intents"> {
  const known = EFFECTS.filter(
    (effect) => !Object.values(effect).some((value) => Object.hasOwn(Object(value), "unresolved")),
  )
  const paths = Array.from({ length: count }, () => Array.from({ length: random.between(1, 5) }, () => random.below(3)))
  const read = random.percent(50) ? paths.slice(0, random.between(1, 3)) : []
  return {
    intents: read.map((path) => {
      const { reading, accounts } = payment(path)
      return { reading: { ...reading, effects: random.some(known, random.between(1, 3)) }, accounts }
    }),
    messages: paths.map((path, i) => ({
      path,
      hash: `0x${"11".repeat(32)}`,
      ...(i < read.length ? { payload: i } : {}),
    })),
  }
}
