/** [signing]: one child key, one algorithm (keys/pathRule.ts), as a table of path to algorithm. */
import { Type } from "@sinclair/typebox"
import { CosignerError } from "../errors.ts"
import { DEFAULT_PATH_RULES, type PathRule, parsePathRules } from "../keys/pathRule.ts"
import { oneOf, type Refused, refined, tableOf } from "../settings/schema.ts"

type WrittenSigning = Readonly<Record<string, "ecdsa" | "bip340">>

const table = Type.Record(
  Type.String(),
  oneOf(["ecdsa", "bip340"], undefined, "The only algorithm of the keys below this path."),
  {
    default: {},
    description: 'The longest matching path decides; where none matches it is ecdsa. "m/86" is bip340 unless set here.',
    expected: 'a table of paths, such as "m/86" = "bip340"',
    example: { "m/86": "bip340" },
  },
)

function* wrongPaths(written: WrittenSigning): Generator<Refused> {
  const seen: Record<string, "ecdsa" | "bip340"> = {}
  for (const [path, algorithm] of Object.entries(written)) {
    try {
      parsePathRules({ ...seen, [path]: algorithm })
      seen[path] = algorithm
    } catch (error) {
      if (!(error instanceof CosignerError)) throw error
      yield { at: [path], expected: 'a path such as "m/86", once, and its algorithm', got: error.message }
    }
  }
}

/** The rules of the file and the defaults; a rule of the file replaces the default for the same path. */
function withDefaultRules(written: WrittenSigning): readonly PathRule[] {
  const rules = parsePathRules(written)
  const names = new Set(rules.map(({ prefix }) => prefix.join("/")))
  return [...DEFAULT_PATH_RULES.filter(({ prefix }) => !names.has(prefix.join("/"))), ...rules]
}

export const signing = tableOf("Which algorithm a path of a secp256k1 group signs with.", {
  path_algorithms: refined(
    Type.Transform(table)
      .Decode(withDefaultRules)
      .Encode((): Record<string, "ecdsa" | "bip340"> => {
        throw new TypeError("settings are read and never written back")
      }),
    wrongPaths,
  ),
})
