/**
 * The words of people on one task (approvals.md 3) that WaaS sent and this node verified. Order and repetition do not matter: for each
 * person and kind of word, the one with the latest expiry is kept. A word that does not verify leaves only a log line, and the number of
 * verifications per second is bounded.
 */
import { decodeSignedStatement, encodeSignedStatement } from "../approvals/approver.ts"
import { isUnfit, type StatementSubject } from "../approvals/statement.ts"
import { isInTime, type Word, wordOn } from "../approvals/word.ts"
import { type Bytes, toHex } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import type { IsSpent, SpentWord } from "../policy/decision.ts"
import type { People, Presented } from "../policy/people.ts"
import { TokenBucket } from "../tokenBucket.ts"

/** Beyond this rate a word is dropped until WaaS sends it again. A verification takes about a millisecond. */
const VERIFICATIONS = { burst: 256, perSecond: 16 }
/** The most words of one task that are remembered as seen: more than WaaS keeps of a task. Beyond that, words are verified again. */
const REMEMBERED = 512

export class TaskWords {
  readonly #subject: StatementSubject
  readonly #people: () => People
  readonly #bucket: TokenBucket
  readonly #seen: Set<string> = new Set()
  /** By kind of word and approver. */
  readonly #words: Map<string, Word> = new Map()
  /** The approvers file that the words were verified with. */
  #verifiedWith: People

  /** `people` returns the current approvers file, which can be reloaded. */
  constructor(subject: StatementSubject, people: () => People, nowMs: number) {
    this.#subject = subject
    this.#people = people
    this.#verifiedWith = people()
    this.#bucket = new TokenBucket(VERIFICATIONS, nowMs)
  }

  get subject(): StatementSubject {
    return this.#subject
  }

  /** Returns the word if it counts and is new; a text if it does not count, with the reason; undefined if it changes nothing. */
  take(bytes: Uint8Array, nowMs: number): Word | string | undefined {
    this.#verifyAgain()
    const name = toHex(sha256(bytes))
    if (this.#seen.has(name)) return undefined
    const word = this.#verified(bytes, nowMs)
    if (word === undefined) return undefined
    // Neither remembered nor kept: it may count later, and must not replace a word that counts now.
    if (!isUnfit(word) && !isInTime(word, nowMs)) return "its time is over, or ends too far ahead"
    if (this.#seen.size >= REMEMBERED) this.#seen.clear()
    this.#seen.add(name)
    if (isUnfit(word)) return word.problem
    const { approver, decision, notAfter } = word.statement
    const key = `${decision} ${approver}`
    const known = this.#words.get(key)
    if (known !== undefined && known.statement.notAfter >= notAfter) return undefined
    this.#words.set(key, word)
    return word
  }

  #verified(bytes: Uint8Array, nowMs: number) {
    const signed = decodeSignedStatement(bytes)
    if (isUnfit(signed)) return signed
    if (!this.#bucket.take(nowMs)) return undefined
    return wordOn(signed, this.#subject, this.#people().approvers)
  }

  /**
   * The words that count now, under the current keys. `isSpent` tells whether another task consumed a word. A rejection that counted once
   * counts after its expiry too, because it may expire while callback servers are asked.
   */
  standing(nowMs: number, isSpent: IsSpent = () => false): readonly Word[] {
    this.#verifyAgain()
    const isDue = (word: Word): boolean => word.statement.decision === "reject" || isInTime(word, nowMs)
    return [...this.#words.values()].filter((word) => isDue(word) && !isSpent(word.statement))
  }

  /** Verifies the words again if the approvers file changed. Drops the words of a person who is gone from it or has another key there. */
  #verifyAgain(): void {
    const people = this.#people()
    if (people === this.#verifiedWith) return
    this.#verifiedWith = people
    this.#seen.clear()
    for (const [key, word] of this.#words) {
      if (isUnfit(wordOn(word.signed, this.#subject, people.approvers))) this.#words.delete(key)
    }
  }

  /** The consumed words that still verify under the current keys. They may have expired since. */
  recall(consumed: readonly Bytes[]): readonly Word[] {
    const { approvers } = this.#people()
    return consumed.flatMap((bytes) => {
      const signed = decodeSignedStatement(bytes)
      const word = isUnfit(signed) ? signed : wordOn(signed, this.#subject, approvers)
      return isUnfit(word) ? [] : [word]
    })
  }
}

export const presentedBy = (words: readonly Word[]): Presented => saidIn(words.map(({ statement }) => statement))

/** Who said what, by name. The words were verified before. */
export function saidIn(words: readonly Pick<SpentWord, "approver" | "decision">[]): Presented {
  const by = (decision: SpentWord["decision"]): ReadonlySet<string> =>
    new Set(words.filter((word) => word.decision === decision).map(({ approver }) => approver))
  return { requestedBy: by("request"), approvedBy: by("approve"), rejectedBy: by("reject") }
}

/** The word in the form that the journal keeps. */
export const spentWord = ({ statement, signed }: Word): SpentWord => ({
  approver: statement.approver,
  decision: statement.decision,
  nonce: statement.nonce,
  signed: encodeSignedStatement(signed),
})
