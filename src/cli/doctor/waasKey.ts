/** The key that WaaS must prove: the one in force. After `cosigner trust-waas` the database decides which one this is. */
import { type Bytes, toHex } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { trustedWaasKey } from "../../ops/inventory/waasTrust.ts"
import type { Store } from "../../store/store.ts"
import { type Finding, failure, ok, skipped, warning } from "./finding.ts"

const CHECK = "waas.key"

interface KeyInForce {
  /** Undefined if the node would not start with what the file names. */
  readonly key: Bytes | undefined
  /** False: it is the file's key, and the database may have another one. */
  readonly isCertain: boolean
  readonly finding: Finding
}

/** `configured`: the file's key. `store`: undefined if it was not opened. */
export function keyInForce(store: Pick<Store, "waas" | "policies"> | undefined, configured: Bytes): KeyInForce {
  if (store === undefined) {
    const why =
      "the database was not opened: WaaS is compared with the key of the file, and whether that one is in force"
    return {
      key: configured,
      isCertain: false,
      finding: skipped(CHECK, `${why} is not known here (cosigner trust-waas)`),
    }
  }
  let finding = ok(CHECK, `${toHex(configured)} is in force`)
  try {
    const key = trustedWaasKey(store, configured, (behind) => {
      finding = warning(CHECK, behind)
    })
    return { key, isCertain: true, finding }
  } catch (error) {
    if (!(error instanceof CosignerError)) throw error
    return { key: undefined, isCertain: true, finding: failure(CHECK, error) }
  }
}
