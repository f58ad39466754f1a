/**
 * The output behind every input of a PSBT. Owns the proof by the previous transaction: its id is the one that the input
 * names, so its amount and script are those that are spent. PSBT_IN_WITNESS_UTXO must agree with them.
 */
import { equal } from "../../bytes.ts"
import { refuse } from "../problem.ts"
import type { Psbt, PsbtInput } from "./psbtFields.ts"
import {
  MAX_MONEY,
  outpointText,
  type PlacedBytes,
  readLoneOutput,
  readTransaction,
  type TxInput,
  type TxOutput,
} from "./transaction.ts"

export interface SpentOutput {
  readonly output: TxOutput
  /** Proven by the transaction that the output belongs to. Otherwise the payload states it, and only BIP-341 binds the signature to it. */
  readonly proven: boolean
}

/** In the order of the inputs. Refuses with E-INT-062, 064 to 068. */
export function proveSpent({ tx, inputs }: Psbt): readonly SpentOutput[] {
  const seen = new Set<string>()
  const spent = tx.inputs.map((input, index) => {
    const name = outpointText(input.outpoint)
    if (seen.has(name)) refuse("E-INT-064", `input ${index}`, `${name} is spent twice`)
    seen.add(name)
    const map = inputs[index]
    if (map === undefined) throw new RangeError("there is a map for every input")
    return spentBy(input, map, `input ${index}`)
  })
  if (spent.reduce((sum, { output }) => sum + output.amount, 0n) > MAX_MONEY) {
    refuse("E-INT-065", "inputs", "what is spent is above 21 million coins")
  }
  return spent
}

function spentBy(input: TxInput, { previous, witnessUtxo }: PsbtInput, at: string): SpentOutput {
  const claimed = witnessUtxo && readLoneOutput(witnessUtxo, "E-INT-062")
  if (previous === undefined) {
    if (claimed === undefined) return refuse("E-INT-066", at, "the payload does not say what it spends")
    return { output: claimed, proven: false }
  }
  const output = outputOf(previous, input, at)
  if (claimed !== undefined && claimed.amount !== output.amount) {
    refuse("E-INT-068", at, `the witness UTXO has ${claimed.amount}, and the previous transaction ${output.amount}`)
  }
  if (claimed !== undefined && !equal(claimed.script, output.script)) {
    refuse("E-INT-068", at, "the witness UTXO has another script than the previous transaction")
  }
  return { output, proven: true }
}

function outputOf(previous: PlacedBytes, { outpoint }: TxInput, at: string): TxOutput {
  const { txid, outputs } = readTransaction(previous, "allowed", "E-INT-065")
  if (!equal(txid, outpoint.txid)) {
    refuse(
      "E-INT-067",
      at,
      `it is ${outpointText({ txid, index: outpoint.index })}, and ${outpointText(outpoint)} is spent`,
    )
  }
  const output = outputs[outpoint.index]
  return output ?? refuse("E-INT-067", at, `it has ${outputs.length} outputs, and ${outpointText(outpoint)} is spent`)
}
