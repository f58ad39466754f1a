/**
 * What a node may have relayed for an attempt of a task: in its own name alone, and to each receiver no more than a protocol can have it
 * say. A member that floods another costs WaaS the reading of a frame, and the other nothing.
 */
import { senderOf } from "../../mpc/envelope.ts"
import { SenderQuota } from "../../tasks/senderQuota.ts"
import { nodeIdOf } from "../../wire/nodeId.ts"
import type { WaasTask } from "../store/model.ts"
import type { EnvelopeFrame } from "./frames.ts"

export class RelayQuotas {
  readonly #quotas = new Map<string, { readonly attempt: number; readonly quota: SenderQuota }>()

  /** False for what reaches nobody, too. */
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

  /** The task is no longer live. */
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
