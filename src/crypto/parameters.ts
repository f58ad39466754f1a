/** The constants of suite TSSN/1 that all parties must share; they are part of every secp256k1 session id (threshold.md 0, 2.1). */
import { type Bytes, concat, u32be, utf8 } from "../bytes.ts"

/**
 * Base OTs per ordered pair: a multiple of 32 from 128 to 1024. All lengths follow from it. Another value is another protocol, which
 * refuses OT state stored under this one (threshold.md 4.3 discusses the security margin and how to change it).
 */
export const N_C = 128
/** Bits per PPRF tree: 16 leaves. */
export const TREE_BITS = 4
/** Statistical security parameter. */
const LAMBDA_S = 80
/** OTs per product: 256 + 2 * LAMBDA_S. */
export const XI = 416
const OT_GROUP = "P-256"

export const OT_PARAMETERS: Bytes = concat(u32be(N_C), u32be(TREE_BITS), u32be(XI), u32be(LAMBDA_S), utf8(OT_GROUP))
