/** [signing]: one child key, one algorithm (keys/pathRule.ts), as a table of path to algorithm. */
import { Type } from "@sinclair/typebox"
import { oneOf, tableOf } from "./schema.ts"

export const signing = tableOf("Which algorithm a path of a secp256k1 group signs with.", {
  path_algorithms: Type.Record(
    Type.String(),
    oneOf(["ecdsa", "bip340"], undefined, "The one algorithm of the keys below this path."),
    {
      default: {},
      description:
        'The longest matching path decides; where none matches it is ecdsa. "m/86" is bip340 unless set here.',
      expected: 'a table of paths, such as "m/86" = "bip340"',
    },
  ),
})
