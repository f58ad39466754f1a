/** What the main thread and the thread that reads payloads say to each other: structured-cloneable, one question at a time. */
import type { Problem as IntentProblem } from "../intent/reading.ts"
import type { Names } from "../policy/names.ts"
import type { IntentKey, Intents } from "../tasks/intents.ts"
import type { KeySignTask } from "../wire/task.ts"

export type ToReader =
  /** Before the first question, and whenever the configuration has others. */
  | { readonly kind: "names"; readonly names: Names }
  | { readonly kind: "read"; readonly task: KeySignTask; readonly key: IntentKey }

export type FromReader = { readonly kind: "read"; readonly read: Intents | IntentProblem }
