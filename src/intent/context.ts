/**
 * The context of a payload, from a group's key and the messages that name it. Nodes, WaaS and the command line all build it here,
 * so that their readings agree.
 */
import { type CurveName, curveNamed } from "../crypto/curve.ts"
import { isCode } from "../errors.ts"
import { DerivationCache } from "../keys/derive.ts"
import type { Asked, Context, Settings } from "./decoder.ts"

/** The root of a group: enc(P) and its chain code, of 32 bytes. */
interface GroupKey {
  readonly curve: CurveName
  readonly publicKey: Uint8Array
  readonly chainCode: Uint8Array
}

/** The fields of a message in a task, except its hash. */
export type SigningMessage = Omit<Asked, "publicKey">

interface Surroundings {
  /** CAIP-2 of the chains that a path signs for: `defaultChainsOf`, or what the configuration says. */
  readonly chainsOf: (path: readonly number[]) => readonly string[]
  readonly settings: Settings
  /** Kept between payloads if there are many. */
  readonly derived?: DerivationCache
}

/** Throws E-KEY-002, -003 or -004 if a message's path has no key. */
export function contextOf(key: GroupKey, messages: readonly SigningMessage[], surroundings: Surroundings): Context {
  const { chainsOf, settings, derived = new DerivationCache() } = surroundings
  const group = curveNamed(key.curve)
  const keyAt = (path: readonly number[]) => derived.nodeAt(group, key.publicKey, key.chainCode, path).publicKey
  return {
    curve: key.curve,
    messages: messages.map((message) => ({ ...message, publicKey: keyAt(message.path) })),
    derive: (path) => {
      try {
        return keyAt(path)
      } catch (error) {
        if (isCode(error, "E-KEY-002") || isCode(error, "E-KEY-003")) return undefined
        throw error
      }
    },
    chains: shared(messages.map(({ path }) => chainsOf(path))),
    settings,
  }
}

/** The context without a key: senders are unresolved, or as the payload states them, and payloads of every chain are read. */
export const offlineContext = (curve: CurveName, settings: Settings): Context => ({
  curve,
  messages: [],
  derive: () => undefined,
  chains: [],
  settings,
})

/** The items that occur in every list. */
function shared(lists: readonly (readonly string[])[]): readonly string[] {
  const [first = [], ...others] = lists
  return first.filter((chain) => others.every((list) => list.includes(chain)))
}
