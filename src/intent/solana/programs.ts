/** Addresses of the programs and sysvars whose instructions are read, and the constants of the chain that fees depend on. */

export const SYSTEM = "11111111111111111111111111111111"
export const TOKEN = "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA"
export const TOKEN_2022 = "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb"
export const ASSOCIATED_TOKEN = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
export const COMPUTE_BUDGET = "ComputeBudget111111111111111111111111111111"
export const MEMO_1 = "Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"
export const MEMO_3 = "MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr"
/** Unlike those before it, it can be upgraded. */
export const MEMO_4 = "Memo4c2pN8afCj432Lb7RMVKi9PbQnnW7ewFFaV3oAH"
export const STAKE = "Stake11111111111111111111111111111111111111"
export const UPGRADEABLE_LOADER = "BPFLoaderUpgradeab1e11111111111111111111111"

/** Accounts that instructions of the stake program used to name, and that newer clients leave out. */
export const CLOCK = "SysvarC1ock11111111111111111111111111111111"
export const RENT = "SysvarRent111111111111111111111111111111111"
export const STAKE_HISTORY = "SysvarStakeHistory1111111111111111111111111"
export const STAKE_CONFIG = "StakeConfig11111111111111111111111111111111"

/** Programs that verify signatures before the transaction runs; each signature costs as much as one of the transaction. */
export const SIGNATURE_VERIFIERS: readonly string[] = [
  "Ed25519SigVerify111111111111111111111111111",
  "KeccakSecp256k11111111111111111111111111111",
  "Secp256r1SigVerify1111111111111111111111111",
]

/** Lamports for one signature. */
export const SIGNATURE_FEE = 5000n

// Two years of rent make an account exempt from it: (128 + bytes) * 3480 lamports * 2.
const exemptFor = (bytes: number): bigint => BigInt((128 + bytes) * 6960)

/** Lamports in a new account of Token: 165 bytes. */
export const TOKEN_ACCOUNT_RENT: bigint = exemptFor(165)

/**
 * The most lamports in a new associated account of Token-2022. A mint's extensions make its accounts larger: account type 1,
 * immutable owner 4, transfer fee 12, non-transferable 4, transfer hook 5, pausable 4, confidential transfer 299 and its fee 68.
 */
export const TOKEN_2022_ACCOUNT_RENT: bigint = exemptFor(165 + 1 + 4 + 12 + 4 + 5 + 4 + 299 + 68)
