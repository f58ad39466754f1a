/**
 * What a caller may tell risk control about a signing request, in the objects of formats.md 1.8. Each object is optional, but must be
 * complete if present, because callback servers reject an object without a required field. Organisation, vault and group cannot be
 * given: WaaS fills them in.
 */
import { Type } from "@sinclair/typebox"
import { closed } from "./route.ts"

const Text = Type.String()

/** These fields are required; further ones are passed on. */
const Transaction = Type.Object({
  transaction_id: Text,
  wallet_id: Text,
  status: Text,
  source: Type.Object({}),
  destination: Type.Object({}),
  initiator_type: Text,
  created_timestamp: Type.Integer(),
  updated_timestamp: Type.Integer(),
})

const AddressInfo = Type.Object({ address: Text, chain_id: Text })

const WalletInfo = Type.Object({
  wallet_id: Text,
  wallet_type: Text,
  wallet_subtype: Text,
  name: Text,
  org_id: Text,
})

export const ExtraInfo = closed({
  project: Type.Optional(Type.Object({})),
  wallet: Type.Optional(WalletInfo),
  source_addresses: Type.Optional(Type.Array(AddressInfo, { maxItems: 1000 })),
  transaction: Type.Optional(Transaction),
})
