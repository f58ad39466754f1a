/** The names from the node's own file that texts add to the assets, accounts and calls of a reading. */
import type { Annotations } from "../intent/text.ts"
import { callWords } from "./abiCalls.ts"
import { type Names, namesOf } from "./names.ts"

export const annotationsOf = (names: Names): Annotations => ({
  asset: (id) => names.assets.get(id),
  names: (chain, account) => namesOf(chain, account, names),
  call: (chain, effect) => callWords(effect, chain, names),
})
