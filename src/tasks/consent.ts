/**
 * The consent of people to one task: waits for their words if the rules ask for them, tells WaaS which are missing, and accepts a rejection
 * until something was signed. The rules decide which words are needed; words.ts decides which count.
 */
import { equal, toHex } from "../bytes.ts"
import type { GroupPublic } from "../keys/group.ts"
import type { Awaited, Decision, IsSpent } from "../policy/decision.ts"
import { awaitedWords } from "../policy/explain.ts"
import { NOBODY, type Presented } from "../policy/people.ts"
import type { Task } from "../wire/task.ts"
import { eventsOfWaiting } from "./announced.ts"
import { type Intents, NO_INTENTS } from "./intents.ts"
import { mailbox } from "./mailbox.ts"
import { type Refusal, refuse } from "./plan.ts"
import type { TaskPorts } from "./ports.ts"
import { subjectOf } from "./subject.ts"
import { presentedBy, spentWord, TaskWords } from "./words.ts"

export class Consent {
  readonly #task: Task
  readonly #digest: string
  readonly #ports: TaskPorts
  readonly #onVeto: (reason: string) => void
  readonly #news = mailbox<true>()
  #group: GroupPublic | undefined
  #intents: Intents = NO_INTENTS
  #words: TaskWords | undefined
  #awaited: readonly Awaited[] = []
  #missing = ""

  /** `onVeto` is called when a member of a group whose approval was required rejects the task after its approval. */
  constructor(task: Task, digest: string, ports: TaskPorts, onVeto: (reason: string) => void) {
    this.#task = task
    this.#digest = digest
    this.#ports = ports
    this.#onVeto = onVeto
  }

  /** Fixes the subject that a word must be about. Earlier words are dropped; WaaS sends them again when it hears what is missing. */
  begin(group: GroupPublic | undefined, intents: Intents): void {
    const ports = this.#ports
    this.#group = group
    this.#intents = intents
    const epoch = group && toHex(group.epochId)
    const subject = subjectOf(this.#task, this.#digest, epoch, intents)
    this.#words = new TaskWords(subject, () => ports.intents.names.people, ports.now())
  }

  /** Takes a signed word that WaaS sent. A word that does not count is only logged. */
  take(signed: Uint8Array): void {
    const { log, now } = this.#ports
    const task = this.#task.task_id
    const taken = this.#current()?.take(signed, now())
    if (taken === undefined) return
    if (typeof taken === "string") return log.debug("a word of a person does not count", { task, why: taken })
    const { approver, decision } = taken.statement
    log.info("a word of a person counts", { task, approver, decision })
    this.#news.put(true)
    const state = this.#ports.journal.get(this.#task.task_id)?.state
    if (state !== "approved" && state !== "running") return
    const { vetoed } = this.#evaluate(this.presented())
    if (vetoed !== undefined) this.#onVeto(vetoed)
  }

  /** Tells WaaS what is missing. Returns when a new word has come, when the rules may have changed, or when the signal fires. */
  async more(awaited: readonly Awaited[], stop: AbortSignal): Promise<void> {
    this.#awaited = awaited
    this.#say(awaited.map(awaitedWords).join(", "))
    this.#tell()
    await this.#news.next(stop)
    if (!stop.aborted) this.#awaited = []
  }

  /** If the task waits for people: asks the rules again and tells WaaS again. For changed rules, or a WaaS that missed what is awaited. */
  reconsider(): void {
    if (this.#awaited.length > 0) this.#news.put(true)
  }

  /** Call when the rules do not wait for anybody any more. */
  settled(): void {
    this.#say("")
  }

  /** Reports what is missing in the log, at the status port and to event servers; the same text only once. */
  #say(missing: string): void {
    if (missing === this.#missing) return
    this.#missing = missing
    const { journal, log } = this.#ports
    const task = this.#task.task_id
    if (missing === "") return journal.waits(task, "", [])
    log.info("a task waits for people", { task, missing })
    journal.waits(task, missing, eventsOfWaiting(this.#ports, this.#task, this.#intents, missing))
  }

  /** Tells WaaS what is awaited. It answers with the words that it has. */
  #tell(): void {
    const awaited = this.#awaited
    const epoch = this.#current()?.subject.epoch
    this.#ports.send({ kind: "awaits", taskId: this.#task.task_id, digest: this.#digest, epoch, awaited })
  }

  /** E-APR-001 for a task that its deadline ended while it waited for people; undefined if it did not wait. */
  late(): Refusal | undefined {
    if (this.#awaited.length === 0) return undefined
    return refuse("E-APR-001", { missing: this.#awaited.map(awaitedWords).join(", ") })
  }

  /** The words that count now. */
  standing() {
    return this.#current()?.standing(this.#ports.now()) ?? []
  }

  /** Evaluates with the words that count now, and adds the words that the decision consumes. Call it in the transaction that records it. */
  decide(isSpent: IsSpent, evaluate: (presented: Presented) => Decision): Decision {
    const words = this.#current()?.standing(this.#ports.now(), isSpent) ?? []
    const decision = evaluate(presentedBy(words))
    return words.length === 0 ? decision : { ...decision, words: words.map(spentWord) }
  }

  /** The words that the verdict consumed, verified again, together with the words that count now. */
  presented(): Presented {
    const words = this.#current()
    if (words === undefined) return NOBODY
    const consumed = this.#ports.journal.words(this.#task.task_id).map(({ signed }) => signed)
    return presentedBy([...words.recall(consumed), ...this.standing()])
  }

  /** The words for the group's current epoch. A word names the epoch, so a new epoch begins without words. */
  #current(): TaskWords | undefined {
    const now = this.#group && this.#ports.groups.active(this.#group.groupId)
    const isSame = now === undefined || (this.#group !== undefined && equal(now.epochId, this.#group.epochId))
    if (!isSame) this.begin(now, this.#intents)
    return this.#words
  }

  #evaluate(presented: Presented): Decision {
    const { risk, journal, now } = this.#ports
    return risk.evaluate(this.#task, this.#group, journal.usage, now(), this.#intents, presented)
  }
}
