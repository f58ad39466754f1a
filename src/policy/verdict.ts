/** The answer of risk control. A refusal is a value, never an exception; a doubt is a refusal. */

export interface RuleOutcome {
  /** The rule as the TOML names it, e.g. `key_sign.allowed_paths`, or `callback:<address>`. */
  readonly rule: string
  readonly outcome: "allow" | "deny" | "error"
  /** Why, for people. */
  readonly reason: string
}

export interface Verdict {
  readonly action: "approve" | "reject"
  /** E-RSK-nnn of the first denial, empty on approve. */
  readonly code: string
  readonly reason: string
  /** Every rule that was evaluated, not only the deciding one. */
  readonly rules: readonly RuleOutcome[]
}
