/**
 * The words of people on one task (approvals.md 3): those that WaaS brought and this node verified. Order, repetition and doubles
 * change nothing: of each person's words of one kind the one that holds longest is kept. What is not verified leaves no trace but a
 * line in the log, and costs at most so many verifications a second.
 */
import { decodeSignedStatement, encodeSignedStatement } from "../approvals/approver.ts"
import { isUnfit, type StatementSubject } from "../approvals/statement.ts"
import { isInTime, type Word, wordOn } from "../approvals/word.ts"
import { type Bytes, toHex } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import type { IsSpent, SpentWord } from "../policy/decision.ts"
import type { People, Presented } from "../policy/people.ts"
import { TokenBucket } from "../tokenBucket.ts"

/** Beyond it a word waits until WaaS says it again; verifying one costs about a millisecond. */
const VERIFICATIONS = { burst: 256, perSecond: 16 }
/** How many words of one task are remembered as seen: more than WaaS keeps of it. Beyond that they are verified again. */
const REMEMBERED = 512

export class TaskWords {
  readonly #subject: StatementSubject
  readonly #people: () => People
  readonly #bucket: TokenBucket
  readonly #seen: Set<string> = new Set()
  /** By approver and kind. */
  readonly #words: Map<string, Word> = new Map()
  /** Whose keys the words were verified with. */
  #verifiedWith: People

  /** `people` are those of the moment: the rules can be read again. */
  constructor(subject: StatementSubject, people: () => People, nowMs: number) {
    this.#subject = subject
    this.#people = people
    this.#verifiedWith = people()
    this.#bucket = new TokenBucket(VERIFICATIONS, nowMs)
  }

  get subject(): StatementSubject {
    return this.#subject
  }

  /** The word where it says something new that counts; a text where it does not count, and why; undefined where it was known. */
  take(bytes: Uint8Array, nowMs: number): Word | string | undefined {
    this.#verifyAgain()
    const name = toHex(sha256(bytes))
    if (this.#seen.has(name)) return undefined
    const word = this.#verified(bytes, nowMs)
    if (word === undefined) return undefined
    // Neither remembered nor kept: it may come into its time, and must not stand in the way of one that is in it.
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
   * Words that count at this moment, under the keys of this moment. `isSpent`: whether another task consumed the word's nonce. A
   * rejection that counted once counts on: its time may end while callback servers are asked, and it must be heard after that too.
   */
  standing(nowMs: number, isSpent: IsSpent = () => false): readonly Word[] {
    this.#verifyAgain()
    const isDue = (word: Word): boolean => word.statement.decision === "reject" || isInTime(word, nowMs)
    return [...this.#words.values()].filter((word) => isDue(word) && !isSpent(word.statement))
  }

  /** Verifies the words again if the approvers file changed. Words of a person who is gone from it, or has another key there, are dropped. */
  #verifyAgain(): void {
    const people = this.#people()
    if (people === this.#verifiedWith) return
    this.#verifiedWith = people
    this.#seen.clear()
    for (const [key, word] of this.#words) {
      if (isUnfit(wordOn(word.signed, this.#subject, people.approvers))) this.#words.delete(key)
    }
  }

  /** The words that the approval consumed. Their time may have passed since; their keys must still be those of the file. */
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

/** As the journal keeps it. */
export const spentWord = ({ statement, signed }: Word): SpentWord => ({
  approver: statement.approver,
  decision: statement.decision,
  nonce: statement.nonce,
  signed: encodeSignedStatement(signed),
})
