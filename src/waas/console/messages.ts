/** What the main thread says to the console's thread: structured-cloneable data. What that answers is panel/thread.ts's. */
import type { Bytes } from "../../bytes.ts"
import type { ShelfChange } from "../../panel/feed.ts"
import type { Listen } from "../../panel/listen.ts"
import type { KnownChain } from "./intents.ts"
import type { ConsoleList } from "./site.ts"

export type ToConsole =
  | {
      readonly kind: "open"
      readonly listen: Listen
      /** SHA-256 of the token. */
      readonly token: Bytes
      readonly chains: readonly KnownChain[]
    }
  /** A sign of life of the main thread, and the overview, checked. */
  | { readonly kind: "beat"; readonly overview: string }
  /** Vaults are documents, checked; requests are `ToldRequest`, as text. */
  | { readonly kind: "changed"; readonly list: ConsoleList; readonly change: ShelfChange }
