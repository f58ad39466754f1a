/**
 * Compares WaaS's answers with what a client can compute itself: root keys with those that its profile names, child keys
 * with those derived from the root, and signatures under them. So a client need not trust WaaS, which holds no secret.
 */
import type { CurveName } from "../../crypto/curve.ts"
import { CosignerError } from "../../errors.ts"
import { decodeExtendedPublicKey } from "../../keys/extendedKey.ts"
import { formatPath, parsePath } from "../../keys/path.ts"
import type { SignRequestObject, VaultObject } from "../../waas/client.ts"
import { signatureProblem } from "../../waas/engine/outcome.ts"
import type { CurveType } from "../../waas/store/model.ts"
import type { SignMessage } from "../../wire/task.ts"
import { refuse } from "../command.ts"
import type { Profile } from "./profile.ts"

const CURVE_TYPES: Readonly<Record<CurveName, CurveType>> = { secp256k1: "SECP256K1", ed25519: "ED25519" }
export const curveTypeOf = (curve: CurveName): CurveType => CURVE_TYPES[curve]

/** E-CLI-032. */
export const amiss = (what: string): CosignerError => new CosignerError("E-CLI-032", { what })

/** The vault that a command is about: --vault, or the profile's. */
export const vaultIdOf = (given: string | undefined, profile: Profile): string => {
  const id = given ?? profile.vault
  return id === "" ? refuse("--vault", "the id of a vault, or `vault` in the profile", "none") : id
}

/** Checks that the vault's root keys are root keys of their curve, and equal those that the profile names, if it names any. */
export function checkedVault(vault: VaultObject, vaultId: string, { roots }: Profile): VaultObject {
  if (vault.vault_id !== vaultId) throw amiss(`asked for vault ${vaultId}, it told of ${vault.vault_id}`)
  for (const { curve, root_pubkey: root } of vault.root_pubkeys) {
    const key = decodeExtendedPublicKey(root)
    if (CURVE_TYPES[key.curve] !== curve || key.depth !== 0) throw amiss(`${root} is no root key on ${curve}`)
    const named = roots.filter((one) => one.curve === key.curve)
    if (named.length > 0 && !named.some(({ text }) => text === root))
      throw amiss(`the root key of vault ${vaultId} on ${curve} is ${root}, which the profile does not name`)
  }
  return vault
}

/** The root of a vault on a curve. */
export function rootOf(vault: VaultObject, curve: CurveName): string {
  const root = vault.root_pubkeys.find((one) => one.curve === CURVE_TYPES[curve])?.root_pubkey
  if (root === undefined)
    throw new CosignerError("E-CLI-011", {
      what: `root key of vault ${vault.vault_id} on ${CURVE_TYPES[curve]}`,
      known: vault.root_pubkeys.map((one) => one.curve),
    })
  return root
}

/** Checks that the request's signatures verify under the child keys of `root`, and are over these messages if they are given. */
export function checkSignatures(root: string, request: SignRequestObject, asked?: readonly SignMessage[]): void {
  const { signatures, signature_type, sign_request_id: id } = request
  if (asked !== undefined && signatures.length !== asked.length)
    throw amiss(`request ${id} has ${signatures.length} signatures for ${asked.length} messages`)
  for (const [i, given] of signatures.entries()) {
    const { bip32_path, msg_hash, tweak } = given
    const message = asked?.[i] ?? { bip32_path: formatPath(parsePath(bip32_path)), msg_hash, tweak }
    const problem = signatureProblem({ root_pub_key: root, signature_type }, message, given)
    if (problem !== undefined) throw amiss(`signature ${i} of request ${id}: ${problem}`)
  }
}
