/**
 * The risk officer's sentence as TOML: only transfers of ETH, at most 1 ETH a day in all with fees, to these three addresses, asked
 * for by these people, on these days, fee at most 0.02 ETH. Tests of the rules and of the binary hold the same sentence.
 */

/** Two addresses of the exchange and one of the custodian. */
export const SENTENCE_TO = {
  exchange: ["0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"],
  custodian: ["0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"],
} as const

export const SENTENCE_ADDRESSES = Object.entries(SENTENCE_TO)
  .flatMap(([name, addresses]) =>
    addresses.map((address) => `[[intent.addresses]]\nname = "${name}"\nchain = "eip155:1"\naddress = "${address}"\n`),
  )
  .join("")

interface Payout {
  readonly name: string
  readonly initiators: readonly string[]
  readonly zone: string
  /** `mon`, `tue`, … */
  readonly days: readonly string[]
}

/** Who may ask for a payout, and on which days. */
export const sentencePayout = ({ name, initiators, zone, days }: Payout): string => `
[[embedded_risk_control_rules.key_sign.allow]]
name = "${name}"
effects = ["transfer"]
assets = ["ETH"]
chains = ["eip155:1"]
to = ["@exchange", "@custodian"]
initiators = ${JSON.stringify(initiators)}
max_fee = ["0.02 ETH"]
time_windows = [{ zone = "${zone}", days = ${JSON.stringify(days)} }]
`

export const SENTENCE_LIMIT = `
[[embedded_risk_control_rules.key_sign.limits]]
name = "eth-day"
asset = "ETH"
per = "all"
window = "24h"
max_amount = "1 ETH"
`
