/**
 * Whether people agree with one task: waits for their words where the rules ask for them, tells WaaS what is missing, and hears a
 * rejection for as long as nothing was signed. Which words are needed is the rules' to say, which count is words.ts's.
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

  /** `onVeto` is called when a member of a group that had to approve rejects the task after its approval. */
  constructor(task: Task, digest: string, ports: TaskPorts, onVeto: (reason: string) => void) {
    this.#task = task
    this.#digest = digest
    this.#ports = ports
    this.#onVeto = onVeto
  }

  /** Fixes what a word must be about. Words that came before are lost: WaaS says them again when it hears what is missing. */
  begin(group: GroupPublic | undefined, intents: Intents): void {
    const ports = this.#ports
    this.#group = group
    this.#intents = intents
    const epoch = group && toHex(group.epochId)
    const subject = subjectOf(this.#task, this.#digest, epoch, intents)
    this.#words = new TaskWords(subject, () => ports.intents.names.people, ports.now())
  }

  /** A word that WaaS brought. */
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

  /** For changed rules, or a WaaS that may have missed what is awaited: the rules are asked again, and WaaS is told again. */
  reconsider(): void {
    if (this.#awaited.length > 0) this.#news.put(true)
  }

  /** The rules wait for nobody any more. */
  settled(): void {
    this.#say("")
  }

  /** In the log, at the status port and to event servers; the same is said once. */
  #say(missing: string): void {
    if (missing === this.#missing) return
    this.#missing = missing
    const { journal, log } = this.#ports
    const task = this.#task.task_id
    if (missing === "") return journal.waits(task, "", [])
    log.info("a task waits for people", { task, missing })
    journal.waits(task, missing, eventsOfWaiting(this.#ports, this.#task, this.#intents, missing))
  }

  /** WaaS answers with the words that it has. */
  #tell(): void {
    const awaited = this.#awaited
    const epoch = this.#current()?.subject.epoch
    this.#ports.send({ kind: "awaits", taskId: this.#task.task_id, digest: this.#digest, epoch, awaited })
  }

  /** Why the deadline ended the task, if it still waited for people; undefined if it did not. */
  late(): Refusal | undefined {
    if (this.#awaited.length === 0) return undefined
    return refuse("E-APR-001", { missing: this.#awaited.map(awaitedWords).join(", ") })
  }

  standing() {
    return this.#current()?.standing(this.#ports.now()) ?? []
  }

  /** The decision over the words that count at this moment, with the words that it consumes. Called in the transaction that writes it. */
  decide(isSpent: IsSpent, evaluate: (presented: Presented) => Decision): Decision {
    const words = this.#current()?.standing(this.#ports.now(), isSpent) ?? []
    const decision = evaluate(presentedBy(words))
    return words.length === 0 ? decision : { ...decision, words: words.map(spentWord) }
  }

  /** The words that the verdict consumed, verified again, and the words that count besides. */
  presented(): Presented {
    const words = this.#current()
    if (words === undefined) return NOBODY
    const consumed = this.#ports.journal.words(this.#task.task_id).map(({ signed }) => signed)
    return presentedBy([...words.recall(consumed), ...this.standing()])
  }

  /** A word names the epoch of the share that signs, so no word counts any more once the group has another epoch. */
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
