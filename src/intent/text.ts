/**
 * A reading in words, one line per effect. Addresses are never shortened, because look-alikes share the ends that people compare.
 * Text of a stranger is quoted, escaped and cut, so it can neither end a line nor look like another line.
 */
import { toHex } from "../bytes.ts"
import { formatDecimal, isUnlimited } from "./amount.ts"
import { chainOf, NATIVE_ASSETS } from "./caip.ts"
import { printable } from "./problem.ts"
import type { Account, Approval, Effect, Fee, Reading, SetAuthority, Transfer } from "./reading.ts"

/** What the node's own file adds about assets and addresses. */
export interface Annotations {
  /** By CAIP-19 id; undefined for an asset that is not configured. Built-in native assets need no entry. */
  readonly asset: (id: string) => { readonly name: string; readonly decimals: number } | undefined
  /** Names of an address on a chain, as written in the file: `exchange`. */
  readonly names: (chain: string, address: string) => readonly string[]
  /** A call with its arguments, if the file has its contract's ABI. The line itself says what it cuts. */
  readonly call: (chain: string, effect: Effect) => string | undefined
}

const NO_ANNOTATIONS: Annotations = { asset: () => undefined, names: () => [], call: () => undefined }

/** Notes come last. Each line can be read alone: `transfer 22 588 USDC to 0x0f76… (@exchange) on eip155:1, fee at most 0.0021 ETH`. */
export function intentText(reading: Reading, annotations: Annotations = NO_ANNOTATIONS): readonly string[] {
  const words = new Words(reading, annotations)
  const end = `on ${reading.chain}, ${words.fee(reading.fee)}`
  const notes = reading.notes ?? []
  return [...reading.effects.map((effect) => `${words.effect(effect)} ${end}`), ...notes.map((note) => `note: ${note}`)]
}

const MAX_TEXT = 500

class Words {
  constructor(
    readonly reading: Reading,
    readonly annotations: Annotations,
  ) {}

  effect(effect: Effect): string {
    switch (effect.kind) {
      case "transfer":
        return this.#transfer(effect)
      case "approve":
      case "permit":
        return this.#approval(effect)
      case "call":
        return `call ${this.#account(effect.to)} with ${effect.selector}${bytesOf(effect.data)}${this.#by(effect.from)}${this.#named(effect)}`
      case "delegatecall":
        return `run the code of ${this.#account(effect.to)} as ${this.#account(effect.from)} with ${effect.selector}${bytesOf(effect.data)}${this.#named(effect)}`
      case "delegate_7702":
        return `delegate ${this.#account(effect.from)} to the code of ${this.#account(effect.delegate)} for ${effect.chain} at its nonce ${effect.nonce}`
      case "deploy":
        return `deploy ${effect.data.length} bytes of code at ${this.#account(effect.to)}${this.#by(effect.from)}`
      case "set_authority":
        return this.#authority(effect)
      case "close_account":
        return `close ${this.#account(effect.from)} in favour of ${this.#account(effect.to)}`
      case "stake":
        return `stake: ${effect.action} ${this.#amount(effect.amount, effect.asset)}${effect.to === undefined ? "" : ` to ${this.#account(effect.to)}`}${this.#by(effect.from)}`
      case "nonce":
        return `use the durable nonce ${this.#account(effect.from)} of ${this.#account(effect.authority)}: it never expires`
      case "memo":
        return `memo ${quoted(new TextDecoder().decode(effect.data))}`
      case "message":
        return `sign the message ${quoted(effect.text)}${this.#by(effect.from)}`
      case "typed_data":
        return `sign ${quoted(effect.primaryType)} of ${quoted(effect.domain)}${effect.to === undefined ? "" : ` for ${this.#account(effect.to)}`}${this.#by(effect.from)}`
      case "opaque_hash":
        return `approve the hash 0x${toHex(effect.hash)}${effect.to === undefined ? "" : ` at ${this.#account(effect.to)}`}${this.#by(effect.from)}: ${effect.reason}`
      case "self":
        return `nothing for anybody but ${this.#account(effect.from)}`
    }
  }

  fee({ max, asset, unbounded }: Fee): string {
    if (unbounded) return `fee at most ${this.#amount(max, asset)} and a part without a bound`
    return max === 0n ? "no fee" : `fee at most ${this.#amount(max, asset)}`
  }

  #transfer({ from, to, asset, amount, tokenId }: Transfer): string {
    return `transfer ${this.#amount(amount, asset, tokenId)} to ${this.#account(to)}${this.#by(from)}`
  }

  #approval({ kind, from, spender, asset, amount, tokenId, deadline }: Approval): string {
    const much = isUnlimited(amount)
      ? `unlimited (${amount} base units of) ${this.#asset(asset).name}`
      : this.#amount(amount, asset, tokenId)
    const until = deadline === undefined ? "" : `, deadline ${deadline}`
    return `${kind} ${much} to ${this.#account(spender)}${this.#by(from)}${until}`
  }

  #authority({ from, role, action, authority, threshold }: SetAuthority): string {
    const who = authority === undefined ? "" : ` ${this.#account(authority)}`
    const enough = threshold === undefined ? "" : `, ${threshold} of them needed`
    return `${action} the ${role}${who} of ${this.#account(from)}${enough}`
  }

  #named(effect: Effect): string {
    const named = this.annotations.call(this.reading.chain, effect)
    return named === undefined ? "" : `: ${named}`
  }

  #by(from: Account): string {
    return typeof from === "string" && this.reading.from.includes(from) ? "" : ` from ${this.#account(from)}`
  }

  #account(account: Account): string {
    if (typeof account !== "string") return `unresolved (${account.unresolved})`
    const names = this.annotations.names(this.reading.chain, account)
    return names.length === 0 ? account : `${account} (${names.map((name) => `@${name}`).join(", ")})`
  }

  #amount(amount: bigint, asset: Account, tokenId?: bigint): string {
    const { name, decimals } = this.#asset(asset)
    const number = decimals === undefined ? `${amount} base units of` : grouped(formatDecimal(amount, decimals))
    return `${number} ${name}${tokenId === undefined ? "" : ` token ${tokenId}`}`
  }

  #asset(asset: Account): { readonly name: string; readonly decimals: number | undefined } {
    if (typeof asset !== "string") return { name: `an unresolved asset (${asset.unresolved})`, decimals: undefined }
    const native = NATIVE_ASSETS.get(chainOf(asset))
    const known = native?.id === asset ? native : this.annotations.asset(asset)
    return known ?? { name: `unlisted ${asset}`, decimals: undefined }
  }
}

const quoted = (text: string): string => {
  const cut = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}… (${text.length} characters)` : text
  return printable(JSON.stringify(cut))
}

const bytesOf = (data: Uint8Array): string => ` (${data.length} bytes)`

/** `22588.5` as `22 588.5`. */
function grouped(number: string): string {
  const [whole = "", fraction] = number.split(".")
  const groups = whole.replace(/\B(?=(?:\d{3})+$)/g, " ")
  return fraction === undefined ? groups : `${groups}.${fraction}`
}
