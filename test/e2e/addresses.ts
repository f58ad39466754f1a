/** Addresses of a vault's child keys, by another implementation of BIP-32. */

import { pointCompress } from "tiny-secp256k1"
import { toHex } from "viem"
import { HDKey, publicKeyToAddress } from "viem/accounts"

export function addressAt(root: string, path: string) {
  const { publicKey } = HDKey.fromExtendedKey(root).derive(path)
  if (publicKey === null) throw new Error(`no key at ${path}`)
  return publicKeyToAddress(toHex(pointCompress(publicKey, false)))
}
