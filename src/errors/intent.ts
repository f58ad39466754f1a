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
  "E-INT-010": disagrees("a payload of the task belongs to none of its messages", COMPARE),
  "E-INT-011": disagrees("a message of the task has two payloads", "ask for each message once; nothing was signed"),
  "E-INT-012": disagrees("the two places for the transaction do not say the same", COMPARE),
  "E-INT-013": disagrees(
    "the task calls its chain otherwise than its payload says",
    "a test network is no mainnet: find out who named it, or correct [[intent.paths]]; nothing was signed",
  ),
  "E-INT-014": disagrees("what the task shows of its transaction is not what its payload does", COMPARE),

  "E-INT-020": unread("the payload is not RLP in its one canonical form", "encode the unsigned transaction again"),
  "E-INT-021": unread(
    "the payload is not a transaction of a type that is read",
    "types 0 (with a chain id), 1, 2, 3 and 4 are read; an EIP-7702 authorization is `evm/authorization`",
  ),
  "E-INT-022": unread(
    "the payload names no chain, so its signature would be valid on every one",
    "write the chain id into it (EIP-155)",
  ),
  "E-INT-023": unread("the payload has not the fields of its type", "give the unsigned form of it, whole"),
  "E-INT-024": unread("a value of the payload is outside of what a chain takes", "correct the value"),
  "E-INT-025": unread(
    "the call data of a known method is not the one encoding of its arguments",
    "encode the call again, with nothing after its arguments",
  ),
  "E-INT-026": unread("the payload has more authorizations than are read", "split it into several transactions"),
  "E-INT-027": unread("the native asset of the chain is not known", "add it to [[intent.assets]] with its slip44 id"),
  "E-INT-028": unread("the typed data is not JSON as it is read here", "write every member once, and nothing after it"),
  "E-INT-029": unread("the types of the typed data are not one graph", "declare each type that is used, and no other"),
  "E-INT-030": unread("a value of the typed data does not fit its type", "correct the value"),
  "E-INT-031": disagrees(
    "the typed data speaks for an account that is not the key's",
    "if a contract account is meant, add it to [[intent.contracts]] with account = true; nothing was signed",
  ),
  "E-INT-032": unread("the payload has no address where one must stand", "check the checksum and the length"),

  "E-INT-060": unread(
    "the payload is not a PSBT",
    "send the binary form of a PSBT of version 0 or 2, whole, in base64",
  ),
  "E-INT-061": unread("the PSBT has a key twice", "make the PSBT again: readers would not agree on which one counts"),
  "E-INT-062": unread("the PSBT has a malformed field", "make the PSBT again with a current wallet library"),
  "E-INT-063": unread(
    "the PSBT is of neither version 0 nor version 2",
    "make the PSBT again with a current wallet library",
  ),
  "E-INT-064": unread("the PSBT's transaction is not one that Bitcoin would take", "make the PSBT again"),
  "E-INT-065": unread(
    "a previous transaction in the PSBT cannot be read",
    "take it again from a Bitcoin node, as it was mined",
  ),
  "E-INT-066": unread(
    "the PSBT lacks what proves an amount that it spends",
    "add the previous transaction of every input; only where all inputs of this key are Taproot is the witness UTXO enough",
  ),
  "E-INT-067": unread(
    "a previous transaction in the PSBT is not the one that is spent",
    "add the transaction whose id the input names",
  ),
  "E-INT-068": disagrees(
    "the PSBT lies about what it spends",
    "find out who made it: a false amount is how fees are stolen; nothing was signed",
  ),
  "E-INT-069": unread(
    "the PSBT asks for a signature that does not cover the whole transaction",
    "use SIGHASH_ALL, or SIGHASH_DEFAULT for Taproot, or leave the type out",
  ),
  "E-INT-070": disagrees(
    "the message's key, tweak and kind of signature do not spend its input",
    "P2PKH, P2SH-P2WPKH and P2WPKH take ECDSA, a Taproot key path Schnorr with the tweak of the output; compare path and input",
  ),
  "E-INT-071": disagrees(
    "an input of this key would be left unsigned",
    "sign all inputs of the key in one task, or leave the input out of the transaction",
  ),
  "E-INT-072": disagrees(
    "the task's messages do not fit the PSBT's inputs",
    "give each message the index of its own input",
  ),
  "E-INT-073": unread(
    "the PSBT pays out more than it spends",
    "make the PSBT again from the coins that it really spends",
  ),
  "E-INT-074": unread(
    "the chain is no Bitcoin network that is known",
    "bip122 chains are mainnet, testnet3, testnet4, signet and regtest; correct [[intent.paths]]",
  ),
  "E-INT-075": unread(
    "the messages do not fit a Bitcoin message",
    "give each message a path and no input; offline, give the key: --root and --path",
  ),
  "E-INT-090": unread(
    "the Solana message is malformed",
    "give the bytes of a compiled message, without signatures; nothing else is signed on a Solana path",
  ),
  "E-INT-091": unread("the Solana message has a version that is not read", "compile it as legacy or as version 0"),
  "E-INT-092": unread("the Solana message contradicts itself", "compile it again with a current library"),
  "E-INT-093": unread(
    "the Solana message is too large for a transaction",
    "split it: 1232 bytes are the most, signatures included",
  ),
  "E-INT-094": unread(
    "an instruction of a known Solana program does not have its form",
    "make the instruction with the program's own client",
  ),
  "E-INT-095": unread(
    "an instruction of a known Solana program has too few accounts",
    "make the instruction with the program's own client",
  ),
  "E-INT-096": unread(
    "the associated token account is not the one of its wallet and mint",
    "derive the account of that wallet, mint and token program; the chain refuses any other",
  ),
  "E-INT-097": unread(
    "the compute budget of the Solana message cannot be read",
    "set each of its limits once; the chain refuses it otherwise",
  ),
  "E-INT-098": disagrees("the key of a message is no signer of the Solana payload", COMPARE),
  "E-INT-099": unread(
    "the Solana off-chain message is malformed",
    "make it with a current library: versions 0 and 1 are read",
  ),

  "E-INT-120": unread(
    "the TRON transaction is not in its one canonical encoding",
    "give the bytes of raw_data as the chain's protocol buffers write them",
  ),
  "E-INT-121": unread("a TRON transaction has exactly one contract", "make a transaction for each of them"),
  "E-INT-122": unread(
    "the type of the TRON contract is not known, or contradicts its parameter",
    "make the transaction again with a current library",
  ),
  "E-INT-123": unread(
    "the permission of the TRON transaction does not exist",
    "leave Permission_id out, or name one of 1 to 9",
  ),
  "E-INT-124": unread(
    "an address of the TRON transaction is malformed",
    "addresses are 21 bytes, the first of them 0x41",
  ),
  "E-INT-125": disagrees(
    "the TRON transaction acts for another account than the key's",
    "sign with that account's key, or under a permission (Permission_id) that the account gave this key",
  ),
  "E-INT-126": unread(
    "the TRON transaction does not say which block it follows and when it expires",
    "make it again from a recent block",
  ),
  "E-INT-127": unread("a number of the TRON transaction is negative", "make it again with amounts above 0"),
  "E-INT-128": unread(
    "the contract of the TRON transaction is one that the chain refuses",
    "make it again with a current library",
  ),
  "E-INT-129": unread(
    "a TRC-10 token of the TRON transaction has no number",
    "name the token by its number, such as 1002000",
  ),
}

export type IntentCode = keyof typeof intentCodes
