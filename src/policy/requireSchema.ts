/** The schema of a `require` entry: how many people of which group, and for what. requirement.ts has the meaning. */
import { type StaticDecode, type StaticEncode, Type } from "@sinclair/typebox"
import { entryOf, itemsOf, line, requiredInteger, requiredOneOf, word } from "../settings/schema.ts"
import { denyEntry } from "./entrySchema.ts"
import type { SettingProblem } from "./rule.ts"
import { rollingWindow } from "./words.ts"

const MAX_MEMBERS = 256

const who = {
  name: Type.Optional(
    word("large", "Unique in the list; verdicts name it. If left out, verdicts name its group and number."),
  ),
  group: word("treasury", "A name of [[approver_groups]]."),
  min: requiredInteger(
    1,
    MAX_MEMBERS,
    2,
    "How many of its members must approve. The person who asked for the task does not count.",
  ),
}

/** The conditions of `denyEntry` without its name. An unknown value matches, as there. */
const { name: _, ...conditions } = denyEntry.properties

const requireEntry = entryOf(
  "Approvals that are needed if all conditions of the entry match; an unknown value matches.",
  {
    ...who,
    above: Type.Optional(
      line(
        "50000 USDC",
        "The entry applies only if the task moves more than this amount of the asset: transfers out, approvals and the highest fees, all payloads together.",
      ),
    ),
    window: Type.Optional(
      rollingWindow(
        "With this key, `above` is compared with everything that moved within this time, this task included, so that splitting a payment does not evade it.",
      ),
    ),
    per: Type.Optional(
      requiredOneOf(
        ["all", "group", "destination", "source"],
        "all",
        "What `above` adds up: everything (the default), one key, each destination or each source.",
      ),
    ),
    ...conditions,
  },
)

export type RequireEntry = StaticDecode<typeof requireEntry>
type WrittenRequire = StaticEncode<typeof requireEntry>

/** For key_gen and key_reshare, which move no assets. */
const requireSetupEntry = entryOf("Approvals that are needed.", who)
export type RequireSetupEntry = StaticDecode<typeof requireSetupEntry>

const EXAMPLE: readonly WrittenRequire[] = [{ group: "treasury", min: 2, above: "50000 USDC", window: "24h" }]

export const requireList = itemsOf(requireEntry, EXAMPLE, "Entries.")
export const requireSetupList = itemsOf(requireSetupEntry, [{ group: "treasury", min: 2 }], "Entries.")

/** The name of an entry in verdicts. */
export const labelOf = ({ name, group, min }: RequireSetupEntry): string => name ?? `${group}-${min}`

export const requireProblems = (list: readonly WrittenRequire[]): readonly SettingProblem[] =>
  list.flatMap((one, i): readonly SettingProblem[] => {
    const refused = (key: string, expected: string, got: string): readonly SettingProblem[] => [
      { at: [i, key], expected, got },
    ]
    if (list.findIndex((other) => labelOf(other) === labelOf(one)) < i)
      return refused("name", "a name of its own for each entry", labelOf(one))
    if (one.above === undefined && one.window !== undefined)
      return refused("window", "above, which it is the time of", "none")
    if (one.above === undefined && one.per !== undefined) return refused("per", "above, which it divides", "none")
    return []
  })
