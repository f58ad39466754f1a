/**
 * Methods that carry other calls. `multicall` runs its calls in the contract itself, with the same sender. Multicall3 makes
 * its calls from its own address, and so does a contract account (ERC-4337 accounts, and accounts that delegate to such
 * code by EIP-7702). handleOps of ERC-4337 is not opened: its operations belong to other accounts.
 */
import type { Bytes } from "../../bytes.ts"
import { deeper } from "../decoder.ts"
import { refuse } from "../problem.ts"
import type { Args } from "./abi.ts"
import { type AbiMethod, type Effects, method, type Site } from "./method.ts"

/** The site of call `i` of a batch. */
export const inside = (site: Site, i: number) => {
  const at = `${site.at} call ${i}`
  return { depth: deeper(site.depth, at), at }
}

function ownCalls(calls: readonly Bytes[], site: Site, effects: Effects): void {
  for (const [i, data] of calls.entries())
    effects.call({ from: site.from, to: site.to, value: 0n, data, ...inside(site, i) })
}

/** execute(targets, values, data) with three lists, whose lengths the account compares. */
function listedCalls(args: Args, site: Site, effects: Effects): void {
  const values = args.uints(1)
  const calls = args.byteStrings(2)
  for (const [i, to] of args.addresses(0).entries()) {
    const [value, data] = [values[i], calls[i]]
    if (value === undefined || data === undefined) refuse("E-INT-024", inside(site, i).at, "its lists differ in length")
    effects.call({ from: site.to, to, value, data, ...inside(site, i) })
  }
  if (Math.max(values.length, calls.length) > args.addresses(0).length)
    refuse("E-INT-024", site.at, "its lists differ in length")
}

/** Rows of (target, …) with the call's data at `data` and, where there is one, its value at `value`. */
function foreignCalls(rows: readonly Args[], site: Site, effects: Effects, data: number, value?: number): void {
  for (const [i, row] of rows.entries()) {
    effects.call({
      from: site.to,
      to: row.address(0),
      value: value === undefined ? 0n : row.uint(value),
      data: row.bytes(data),
      ...inside(site, i),
    })
  }
}

export const BATCH_METHODS: readonly AbiMethod[] = [
  method("multicall(bytes[])", (args, site, effects) => ownCalls(args.byteStrings(0), site, effects)),
  method("multicall(uint256,bytes[])", (args, site, effects) => ownCalls(args.byteStrings(1), site, effects)),
  method("multicall(bytes32,bytes[])", (args, site, effects) => ownCalls(args.byteStrings(1), site, effects)),
  method("aggregate((address,bytes)[])", (args, site, effects) => foreignCalls(args.rows(0), site, effects, 1)),
  method("blockAndAggregate((address,bytes)[])", (args, site, effects) => foreignCalls(args.rows(0), site, effects, 1)),
  method("tryAggregate(bool,(address,bytes)[])", (args, site, effects) => foreignCalls(args.rows(1), site, effects, 1)),
  method("tryBlockAndAggregate(bool,(address,bytes)[])", (args, site, effects) =>
    foreignCalls(args.rows(1), site, effects, 1),
  ),
  method("aggregate3((address,bool,bytes)[])", (args, site, effects) => foreignCalls(args.rows(0), site, effects, 2)),
  method("aggregate3Value((address,bool,uint256,bytes)[])", (args, site, effects) =>
    foreignCalls(args.rows(0), site, effects, 3, 2),
  ),
  // contract accounts
  method("execute(address,uint256,bytes)", (args, site, effects) => foreignCalls([args], site, effects, 2, 1)),
  method("executeBatch((address,uint256,bytes)[])", (args, site, effects) =>
    foreignCalls(args.rows(0), site, effects, 2, 1),
  ),
  method("executeBatch(address[],uint256[],bytes[])", listedCalls),
]
