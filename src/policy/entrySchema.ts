/** The schema of an allow or deny entry. entry.ts has the meaning. */
import { type StaticDecode, Type } from "@sinclair/typebox"
import type { EffectKind } from "../intent/reading.ts"
import { entryOf, itemsOf, line, requiredBoolean, requiredOneOf, word } from "../settings/schema.ts"
import { timeWindow } from "./timeWindow.ts"
import { pathPattern } from "./words.ts"

export const EFFECT_KINDS = [
  "transfer",
  "approve",
  "permit",
  "call",
  "delegatecall",
  "delegate_7702",
  "deploy",
  "set_authority",
  "close_account",
  "stake",
  "nonce",
  "memo",
  "message",
  "typed_data",
  "opaque_hash",
  "self",
] as const satisfies readonly EffectKind[]

const kinds = (description: string) =>
  itemsOf(requiredOneOf(EFFECT_KINDS, "transfer", "A kind of effect."), ["transfer"], description)

const argumentName = word("params.recipient", "The argument, by its name in the ABI; a dot leads to a part of it.")
const argumentIn = Type.Optional(
  itemsOf(
    line(
      "@exchange",
      "A value: for an address @name, @own:PATTERN or an address; for anything else the value as it is written.",
    ),
    ["@own:m/44/60/0/0/*"],
    "One of these values: addresses as in `to`, integers in decimal, true or false, bytes as 0x and lower-case hex, texts.",
  ),
)

/** Conditions of both lists. A condition that is left out is not evaluated. */
const shared = {
  chains: Type.Optional(
    itemsOf(
      word("eip155:1", "A chain (CAIP-2)."),
      ["eip155:1"],
      "Chains. eip155:* stands for typed data that names no chain; an allow entry covers it only if it names eip155:*.",
    ),
  ),
  assets: Type.Optional(
    itemsOf(
      word("USDC", "A name of [intent], or a CAIP-19 id."),
      ["USDC", "ETH"],
      "Assets by name or CAIP-19 id. An allow entry without this key covers only built-in and configured assets.",
    ),
  ),
  to: Type.Optional(
    itemsOf(
      word("@exchange", "@name of [intent], @own:PATTERN or an address."),
      ["@exchange", "@own:m/44/60/0/0/*"],
      "Destination, spender, delegate, contract or new authority, whichever the effect has: @name, @own:PATTERN for this key's own paths, or an address.",
    ),
  ),
  contracts: Type.Optional(
    itemsOf(
      word("@router", "@name of [[intent.contracts]], or an address."),
      ["@router"],
      "Contracts that are called.",
    ),
  ),
  selectors: Type.Optional(
    itemsOf(
      word(
        "transfer(address,uint256)",
        "0x and 8 hex digits, the signature of a function, or an operation's name; of a contract with an abi also a function's name.",
      ),
      ["transfer(address,uint256)"],
      "Functions that are called.",
    ),
  ),
  types: Type.Optional(
    itemsOf(
      line("Mail(address to,string contents)", "An encodeType string."),
      ["Mail(address to,string contents)"],
      "Types of typed data, each as its exact encodeType string.",
    ),
  ),
  paths: Type.Optional(
    itemsOf(
      pathPattern("m/44/60/0/0/*", "A pattern of paths."),
      ["m/44/60/0/0/*"],
      "Paths of the keys that sign: all of them in an allow entry, any of them in a deny entry.",
    ),
  ),
  initiators: Type.Optional(
    itemsOf(
      word("ops", "A name."),
      ["ops"],
      "Who asked for the task: names of [[approvers]] who signed that they ask for it. If the node has no approvers: extra_info.transaction.initiator, which WaaS states without proof.",
    ),
  ),
  time_windows: Type.Optional(
    itemsOf(
      timeWindow,
      [{ zone: "Europe/Zurich", days: ["mon", "tue", "wed", "thu", "fri"], from: "08:00", to: "18:00" }],
      "Times of the week at which the entry applies.",
    ),
  ),
}

export const allowEntry = entryOf("What may happen. All conditions that it states must hold.", {
  name: word("payout", "Unique in the list; verdicts name it."),
  effects: kinds("Kinds of effects that it covers."),
  ...shared,
  arguments: Type.Optional(
    itemsOf(
      entryOf("A condition on one argument.", {
        name: argumentName,
        in: argumentIn,
        max: Type.Optional(
          line("1000 USDC", "The largest value that an integer may have: base units, or an amount and its asset."),
        ),
      }),
      [{ name: "params.recipient", in: ["@own:m/44/60/0/0/*"] }],
      "Arguments of calls, by the ABI of their contract. In a list all elements must fit.",
    ),
  ),
  max_amount: Type.Optional(
    itemsOf(
      line("1 ETH", "An amount and its asset."),
      ["250000 USDC", "1 ETH"],
      'The most that one effect may move, by asset; "any ETH" is no bound. An asset that is not in the list is not covered.',
    ),
  ),
  max_fee: Type.Optional(
    itemsOf(
      line("0.02 ETH", "An amount and its asset, or any."),
      ["0.02 ETH"],
      'The highest fee, by asset. A fee is covered only by an entry that has its asset here; "any" is no bound.',
    ),
  ),
  unbounded_fee: Type.Optional(
    requiredBoolean(false, "Whether charges without bound are accepted, such as a rollup's L1 fee."),
  ),
  memo: Type.Optional(
    requiredOneOf(["any"], "any", 'With "any", memos beside an effect that this entry covers are covered too.'),
  ),
})

export const denyEntry = entryOf(
  "What must not happen. The entry refuses a task if all of its conditions match; an unknown value matches.",
  {
    name: word("never", "Unique in the list; verdicts name it."),
    effects: Type.Optional(kinds("Kinds of effects; if left out, all kinds.")),
    ...shared,
    arguments: Type.Optional(
      itemsOf(
        entryOf("A condition on one argument.", { name: argumentName, in: argumentIn }),
        [{ name: "params.recipient", in: ["@blocked"] }],
        "Arguments of calls, by the ABI of their contract. In a list one element is enough.",
      ),
    ),
  },
)

export type AllowEntry = StaticDecode<typeof allowEntry>
export type DenyEntry = StaticDecode<typeof denyEntry>
