/** The messages from the main thread to the console's thread, as structured-cloneable data. panel/thread.ts owns its answers. */
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
  /** A sign of life of the main thread, with the overview as checked JSON. */
  | { readonly kind: "beat"; readonly overview: string }
  /** Changes of a list. A vault's text is its checked document, a request's text a `ToldRequest`. */
  | { readonly kind: "changed"; readonly list: ConsoleList; readonly change: ShelfChange }
