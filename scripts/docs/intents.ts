/** intents.md: what the decoders know by name, from their own tables. What they do with it is docs/spec/intents.md. */
import { defaultChainsOf, NATIVE_ASSETS } from "../../src/intent/caip.ts"
import { BATCH_METHODS } from "../../src/intent/evm/batches.ts"
import type { AbiMethod } from "../../src/intent/evm/method.ts"
import { SAFE_METHODS } from "../../src/intent/evm/safe.ts"
import { TOKEN_METHODS } from "../../src/intent/evm/tokens.ts"
import { KNOWN_TYPES } from "../../src/intent/evm/typedKnown.ts"
import { FORMATS, MAX_EFFECTS, MAX_NESTING, MAX_PAYLOAD_BYTES } from "../../src/intent/reading.ts"
import { code, page, table } from "./markdown.ts"

const methods = (known: readonly AbiMethod[]): string =>
  table(
    ["selector", "method"],
    known.map(({ signature }) => [code(signature.selector), code(signature.text)]),
  )

/** Below which `m/44` a chain's keys are by default. */
function pathOf(chain: string): string {
  for (let coin = 0; coin < 10_000; coin++) {
    if (defaultChainsOf([44, coin]).includes(chain)) return code(`m/44/${coin}`)
  }
  return ""
}

export const intentsPage = (): string =>
  page(
    "Intents",
    [
      "This page lists what the decoders of a node know by name. [intents.md of the specification](../spec/intents.md) specifies how they read it;",
      "`cosigner intent decode` shows the reading of a payload. Anything that is not listed here is read as a plain `call` or `typed_data`.",
    ].join("\n"),
    "## Formats",
    FORMATS.map((format) => `- ${code(format)}`).join("\n"),
    `A payload has at most ${MAX_PAYLOAD_BYTES} bytes, ${MAX_EFFECTS} effects and ${MAX_NESTING} levels of calls inside calls.`,
    "## Native assets",
    "The keys below the path sign for the chain unless the configuration says otherwise (the same applies below `m/49`, `m/84`, `m/86`).",
    table(
      ["chain", "asset", "decimals", "id", "path"],
      [...NATIVE_ASSETS].map(([chain, { name, decimals, id }]) => [
        code(chain),
        name,
        String(decimals),
        code(id),
        pathOf(chain),
      ]),
    ),
    "## EVM: methods of tokens",
    methods(TOKEN_METHODS),
    "## EVM: methods that carry calls",
    methods(BATCH_METHODS),
    "## EVM: Safe, and who may act for a contract",
    methods(SAFE_METHODS),
    "## EVM: typed data",
    "Typed data is recognised by the exact text of its types. Transfers of Permit2 with a witness are known too, whatever the witness is.",
    KNOWN_TYPES.map((text) => `- ${code(text)}`).join("\n"),
  )
