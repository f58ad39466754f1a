/**
 * The decoders by format. A new chain adds its folder and its lines here. A decoder is loaded when it is first used, so a node
 * needs memory only for the chains that it signs for.
 */
import type { Decoder } from "./decoder.ts"
import type { Format } from "./reading.ts"

type Load = () => Promise<Decoder>

const LOADERS: Readonly<Partial<Record<Format, Load>>> = {
  "evm/transaction": async () => (await import("./evm/transaction.ts")).transactionDecoder,
  "evm/authorization": async () => (await import("./evm/authorizations.ts")).authorizationDecoder,
  "evm/typed-data": async () => (await import("./evm/typedData.ts")).typedDataDecoder,
  "evm/message": async () => (await import("./evm/message.ts")).messageDecoder,
  "bitcoin/psbt": async () => (await import("./bitcoin/psbt.ts")).psbtDecoder,
  "bitcoin/message": async () => (await import("./bitcoin/message.ts")).messageDecoder,
  "solana/message": async () => (await import("./solana/message.ts")).solanaMessage,
  "solana/offchain": async () => (await import("./solana/offchain.ts")).solanaOffchain,
  "tron/transaction": async () => (await import("./tron/transaction.ts")).tronTransaction,
  "tron/message": async () => (await import("./tron/message.ts")).tronMessage,
}

/** Undefined for a format without decoder: its payloads are refused. */
export const decoderFor = async (format: Format): Promise<Decoder | undefined> => LOADERS[format]?.()
