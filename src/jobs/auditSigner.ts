/** The public identity of this node's log: its name and keys, and its checkpoints. The log has a key of its own; its name is the node's (audit.md 3). */
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
  /** With this separate key the node signs as a witness of others' logs. */
  readonly witness: NoteSigner
}

/** Names of keys, by node id. */
export const logName = (nodeId: string): string => `cosigner/${nodeId}`
export const witnessName = (nodeId: string): string => `cosigner-witness/${nodeId}`

/** Throws E-AUD-002 if the node was never started since it has a log. */
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

/** The current log, signed now. */
export function signedNow(
  { audit, incarnation }: Pick<Store, "audit" | "incarnation">,
  { log }: LogSigners,
): SignedCheckpoint {
  const checkpoint: Checkpoint = { origin: originOf(log.key.name, incarnation), size: audit.size, root: audit.root }
  const text = checkpointText(checkpoint)
  return { checkpoint, note: { text, signatures: [log.sign(text, 0)] } }
}

export interface ShownCheckpoints {
  /** Of the log as it is; the cosigned one, where that is it. */
  readonly signed: SignedCheckpoint
  /** The newest checkpoint that others have cosigned, if it is an earlier one. */
  readonly cosigned: SignedCheckpoint | undefined
}

/** The checkpoints of the log that others get. */
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
