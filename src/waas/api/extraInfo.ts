/**
 * What a caller may tell risk control about a signing request, in the objects of formats.md 1.8. Each may be left out, but
 * what is there must be whole: the customers' servers parse it and reject what misses a required field. Organisation,
 * vault and group are WaaS's own to say and cannot be given.
 */
import { Type } from "@sinclair/typebox"
import { closed } from "./route.ts"

const Text = Type.String()

/** At least these fields; others pass. */
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
