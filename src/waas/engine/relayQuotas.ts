/**
 * Limits what WaaS relays for a node in an attempt of a task: only envelopes with the node as their sender, and to each receiver no more
 * than the protocol can need. If a member floods another, WaaS reads the frames, and the other node gets none of them.
 */
import { senderOf } from "../../mpc/envelope.ts"
import { SenderQuota } from "../../tasks/senderQuota.ts"
import { nodeIdOf } from "../../wire/nodeId.ts"
import type { WaasTask } from "../store/model.ts"
import type { EnvelopeFrame } from "./frames.ts"

export class RelayQuotas {
  readonly #quotas = new Map<string, { readonly attempt: number; readonly quota: SenderQuota }>()

  /** Whether the envelope is relayed. False if it has another sender, exceeds the quota, or has no receivers. */
  takes(
    { taskId, attempt }: WaasTask,
    from: string,
    receivers: readonly string[],
    { receiver, envelope }: EnvelopeFrame,
  ): boolean {
    const to = receiver === undefined ? "all" : receivers[0]
    if (receivers.length === 0) return false
    const sender = senderOf(envelope)
    if (sender !== undefined && nodeIdOf(sender) !== from) return false
    return this.#of(taskId, attempt).take(`${from} ${to}`, envelope.length) !== "over"
  }

  /** The task needs nothing more. */
  forget(taskId: string): void {
    this.#quotas.delete(taskId)
  }

  #of(taskId: string, attempt: number): SenderQuota {
    const known = this.#quotas.get(taskId)
    if (known?.attempt === attempt) return known.quota
    const quota = new SenderQuota()
    this.#quotas.set(taskId, { attempt, quota })
    return quota
  }
}
