/** Two people of a treasury for each payment above 1 ETH, none of them who asks: the rules of a node, and a payment. */
import { type Hex, keccak256, parseEther, serializeTransaction } from "viem"

export const EXCHANGE = "0x0f76F604fd7762Bd94B48CA2523F69ab9665c97f"
export const KEEPERS = ["alice", "bob", "carol"] as const
export type Keeper = (typeof KEEPERS)[number]

/** `keys`: OpenSSH lines. `keyGen`: what the node allows of key generations, if it is asked for any. */
export const treasuryRules = (keys: Readonly<Record<Keeper, string>>, keyGen = ""): string => `
${KEEPERS.map((name) => `[[approvers]]\nname = "${name}"\nkey = "${keys[name]}"`).join("\n")}
[[approver_groups]]
name = "treasury"
members = ["alice", "bob", "carol"]
[embedded_risk_control_rules]
enable = true
${keyGen}
[embedded_risk_control_rules.key_sign]
reject_all = false
[[embedded_risk_control_rules.key_sign.require]]
group = "treasury"
min = 2
above = "1 ETH"
`

/** The part of a signing request that says what is signed: so much ETH to the exchange. */
export function payment(ether: string, nonce: number, bip32_path = "m/44/60/0/0/5") {
  const raw: Hex = serializeTransaction({
    ...{ type: "eip1559", chainId: 1, nonce, to: EXCHANGE, value: parseEther(ether) },
    ...{ gas: 21_000n, maxFeePerGas: 1_000_000_000n, maxPriorityFeePerGas: 0n },
  })
  return {
    curve: "SECP256K1",
    signature_type: 1,
    messages: [{ bip32_path, msg_hash: keccak256(raw), payload: 0 }],
    payloads: [{ format: "evm/transaction", data: Buffer.from(raw.slice(2), "hex").toString("base64") }],
  } as const
}
