import { EXIT, entry } from "./entry.ts"

/** What was found; never more of the payload than a few characters of it. Where it was found is the problem's `at`. */
interface Found {
  readonly found: string
}

/** A payload that this node cannot or will not read. Such a task is refused: a problem is never "no intent". */
const unread = (what: string, next: string) =>
  entry<Found>({ kind: "input", exit: EXIT.secrets, what: (d) => `${what}: ${d.found}`, next })

/** A payload that was read, and does not agree with what the task asks for. */
const disagrees = (what: string, next: string) =>
  entry<Found>({ kind: "input", exit: EXIT.refused, what: (d) => `${what}: ${d.found}`, next })

const COMPARE = "read the same payload with `cosigner intent decode` and compare; nothing was signed"

/**
 * Codes E-INT-nnn. 001 to 019: all chains. 020 to 059: EVM. 060 to 089: Bitcoin. 090 to 119: Solana. 120 to 139: TRON.
 * 140 to 159: rules over intents.
 */
export const intentCodes = {
  "E-INT-001": entry<Found>({
    kind: "bug",
    exit: EXIT.bug,
    what: (d) => `a decoder failed on a payload, and doubt is a reject: ${d.found}`,
    next: "keep the payload and report it; nothing was signed",
  }),
  "E-INT-002": unread("the payload has a size that is not read", "a payload has 1 byte to 1 MiB"),
  "E-INT-003": unread("the payload does too much to be read", "split it into several transactions"),
  "E-INT-004": unread(
    "the payload is of a chain that its path does not sign for",
    "if that chain is wanted on that path, add it to [[intent.paths]]",
  ),
  "E-INT-005": disagrees("what the task asks to sign is not what its payload says", COMPARE),
  "E-INT-006": disagrees("the task's messages are not those that its payload asks for", COMPARE),
  "E-INT-007": unread("the format of the payload is not known", "`cosigner intent decode --help` lists the formats"),
  "E-INT-008": unread(
    "the payload cannot be signed with this key",
    "EVM, Bitcoin and TRON take a secp256k1 group, Solana an Ed25519 group",
  ),
  "E-INT-009": unread("calls are nested too deeply to be read", "send the inner calls directly; 8 levels are read"),
}

export type IntentCode = keyof typeof intentCodes
