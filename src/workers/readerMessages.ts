/** The messages between the main thread and the thread that reads payloads: structured-cloneable, one question at a time. */
import type { Problem as IntentProblem } from "../intent/reading.ts"
import type { Names } from "../policy/names.ts"
import type { IntentKey, Intents } from "../tasks/intents.ts"
import type { KeySignTask } from "../wire/task.ts"

export type ToReader =
  /** Sent before the first question, and whenever the names in the configuration have changed. */
  | { readonly kind: "names"; readonly names: Names }
  | { readonly kind: "read"; readonly task: KeySignTask; readonly key: IntentKey }

export type FromReader = { readonly kind: "read"; readonly read: Intents | IntentProblem }
