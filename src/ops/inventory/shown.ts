/** What a command shows of a node: a value for programs and lines for people, made from one look at the store. */
export interface Shown {
  /** JSON, except that BigInts are printed as decimal text. */
  readonly value: unknown
  readonly lines: readonly string[]
}
