/** The keys of this node's log and its checkpoints (audit.md 3). The log has a key of its own; its name contains the node id. */
import { type Checkpoint, checkpointText, originOf, parseSigned, type SignedCheckpoint } from "../audit/checkpoint.ts"
import { type NoteSigner, noteSigner } from "../audit/note.ts"
import { equal } from "../bytes.ts"
import { H } from "../crypto/frame.ts"
import { CosignerError } from "../errors.ts"
import { identityOf } from "../mpc/envelope.ts"
import type { Store } from "../store/store.ts"
import { nodeIdOf } from "../wire/nodeId.ts"

export interface LogSigners {
  readonly log: NoteSigner
  /** A separate key, with which the node signs as a witness of its peers' logs. */
  readonly witness: NoteSigner
}

/** The names of the two keys. */
export const logName = (nodeId: string): string => `cosigner/${nodeId}`
export const witnessName = (nodeId: string): string => `cosigner-witness/${nodeId}`

/** The signers of this node. Throws E-AUD-002 if no start has made the log's key yet. */
export function logSigners(store: Pick<Store, "audit" | "identity" | "path">): LogSigners {
  using identity = store.identity()
  const nodeId = nodeIdOf(identityOf(identity.expose()).party)
  using seed = store.audit.key()
  if (seed === undefined) throw new CosignerError("E-AUD-002", { path: store.path })
  const witness = H("audit/witness", seed.expose())
  try {
    return {
      log: noteSigner(logName(nodeId), "log", seed.expose()),
      witness: noteSigner(witnessName(nodeId), "witness", witness),
    }
  } finally {
    witness.fill(0)
  }
}

/** A checkpoint of the log as it is now, signed by the log's key. */
export function signedNow(
  { audit, incarnation }: Pick<Store, "audit" | "incarnation">,
  { log }: LogSigners,
): SignedCheckpoint {
  const checkpoint: Checkpoint = { origin: originOf(log.key.name, incarnation), size: audit.size, root: audit.root }
  const text = checkpointText(checkpoint)
  return { checkpoint, note: { text, signatures: [log.sign(text, 0)] } }
}

export interface ShownCheckpoints {
  /** The checkpoint of the log as it is now; with cosignatures, if the newest cosigned checkpoint has this size. */
  readonly signed: SignedCheckpoint
  /** The newest checkpoint that others have cosigned, if it is an earlier one. */
  readonly cosigned: SignedCheckpoint | undefined
}

/** The checkpoints that are shown to others. */
export function checkpointsNow(
  store: Pick<Store, "audit" | "incarnation" | "witnessing">,
  signers: LogSigners,
): ShownCheckpoints {
  const signed = signedNow(store, signers)
  const cosigned = parseSigned(store.witnessing.cosigned ?? "")
  const { origin, size } = signed.checkpoint
  // A checkpoint of an earlier incarnation, or of a log in doubt, belongs to another log.
  const isOurs =
    cosigned !== undefined &&
    cosigned.checkpoint.origin === origin &&
    cosigned.checkpoint.size <= size &&
    equal(store.audit.rootAt(cosigned.checkpoint.size), cosigned.checkpoint.root)
  if (!isOurs) return { signed, cosigned: undefined }
  return cosigned.checkpoint.size === size ? { signed: cosigned, cosigned: undefined } : { signed, cosigned }
}
