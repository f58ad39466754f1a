/**
 * The signed words of people (approvals.md) that verdicts have consumed. A word is kept as long as the record of its task, and no other
 * task may use it.
 */
import { utf8 } from "../bytes.ts"
import * as c from "../codec.ts"
import { CosignerError } from "../errors.ts"
import type { SpentName, SpentWord } from "../policy/decision.ts"
import { kind, type RecordKind } from "./records.ts"
import type { StoreTransaction } from "./transaction.ts"
import type { RecordVault } from "./vault.ts"

interface TaskApprovals {
  readonly taskId: string
  readonly words: readonly SpentWord[]
}

export const APPROVALS: RecordKind<TaskApprovals> = kind<TaskApprovals>(
  24,
  "approvals",
  c.struct<TaskApprovals>({
    taskId: c.text,
    words: c.list(
      c.struct<SpentWord>({
        approver: c.text,
        decision: c.oneOf("request", "approve", "reject"),
        nonce: c.text,
        signed: c.bytes,
      }),
    ),
  }),
)

const nameOf = ({ approver, nonce }: SpentName): string => `${approver} ${nonce}`

export class Approvals {
  readonly #vault: RecordVault
  /** The task that consumed each word. The key has approver and nonce, so nobody can use up another person's nonce. */
  readonly #spent: Map<string, string> = new Map()

  constructor(vault: RecordVault) {
    this.#vault = vault
  }

  restore({ taskId, words }: TaskApprovals): void {
    for (const word of words) this.#spent.set(nameOf(word), taskId)
  }

  of(taskId: string): readonly SpentWord[] {
    return this.#vault.read(APPROVALS, utf8(taskId))?.words ?? []
  }

  /** Whether another task has consumed the word. */
  isSpent(word: SpentName, taskId: string): boolean {
    const by = this.#spent.get(nameOf(word))
    return by !== undefined && by !== taskId
  }

  /** Records the words as consumed, in the transaction of the verdict. Throws E-APR-003 if another task has consumed one of them. */
  spend(tx: StoreTransaction, taskId: string, words: readonly SpentWord[]): void {
    if (words.length === 0) return
    const again = words.find((word) => this.isSpent(word, taskId))
    if (again !== undefined) throw new CosignerError("E-APR-003", { approver: again.approver, nonce: again.nonce })
    tx.put(APPROVALS, utf8(taskId), { taskId, words })
    tx.remember(
      () => this.restore({ taskId, words }),
      () => this.#release(words),
    )
  }

  /** Removes the words of a task, in the transaction that removes its record. */
  forget(tx: StoreTransaction, taskId: string): void {
    const words = this.of(taskId)
    if (words.length === 0) return
    tx.remove(APPROVALS, utf8(taskId))
    tx.remember(
      () => this.#release(words),
      () => this.restore({ taskId, words }),
    )
  }

  #release(words: readonly SpentWord[]): void {
    for (const word of words) this.#spent.delete(nameOf(word))
  }
}
