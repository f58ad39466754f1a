/** The counters in memory against a list that is summed anew for every question. */
import { expect, test } from "bun:test"
import fc from "fast-check"
import { type Debit, isAmount } from "../../src/policy/decision.ts"
import { RollingUsage } from "../../src/policy/rollingUsage.ts"

interface Row {
  readonly taskId: string
  readonly atMs: number
  readonly debit: Debit
}

const debits: fc.Arbitrary<readonly Debit[]> = fc.uniqueArray(
  fc.oneof(
    fc.record({ counter: fc.constantFrom("a", "b"), amount: fc.nat(9) }),
    fc.record({
      counter: fc.constantFrom("x", "y"),
      amount: fc.oneof(fc.bigInt({ min: 0n, max: 9n }), fc.constant((1n << 256n) - 1n)),
      replaces: fc.constantFrom("", "", "one", "two", "three"),
    }),
  ),
  { maxLength: 5, selector: (debit) => `${debit.counter} ${isAmount(debit) ? debit.replaces : ""}` },
)
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ debits, atMs: fc.nat(50) }) },
  { weight: 1, arbitrary: fc.record({ release: fc.nat(20) }) },
)

const sumOf = (rows: readonly Row[], counter: string, sinceMs: number): bigint => {
  const groups = Map.groupBy(
    rows.filter(({ debit }) => debit.counter === counter && isAmount(debit)),
    ({ taskId, debit }) => (isAmount(debit) && debit.replaces !== "" ? debit.replaces : `alone ${taskId}`),
  )
  return [...groups.values()]
    .filter((group) => group.some(({ atMs }) => atMs >= sinceMs))
    .map((group) => group.map(({ debit }) => BigInt(debit.amount)).reduce((a, b) => (a > b ? a : b)))
    .reduce((a, b) => a + b, 0n)
}
const countOf = (rows: readonly Row[], counter: string, sinceMs: number): number =>
  rows
    .filter(({ debit, atMs }) => debit.counter === counter && !isAmount(debit) && atMs >= sinceMs)
    .reduce((sum, { debit }) => sum + Number(debit.amount), 0)

test("counts and sums are those of the list, whatever was released, in whatever order the clock went", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.nat(50), fc.nat(20), (steps, sinceMs, except) => {
      const usage = new RollingUsage()
      let rows: Row[] = []
      for (const [i, one] of steps.entries()) {
        if ("debits" in one) {
          usage.debit(`t${i}`, one.atMs, one.debits)
          rows.push(...one.debits.map((debit) => ({ taskId: `t${i}`, atMs: one.atMs, debit })))
        } else {
          const taskId = `t${one.release}`
          usage.release(
            taskId,
            rows.filter((row) => row.taskId === taskId).map(({ debit }) => debit),
          )
          rows = rows.filter((row) => row.taskId !== taskId)
        }
      }
      const others = rows.filter(({ taskId }) => taskId !== `t${except}`)
      for (const [view, list] of [
        [usage, rows],
        [usage.without(`t${except}`), others],
      ] as const) {
        for (const counter of ["a", "b", "x", "y"]) {
          expect(view.count(counter, sinceMs)).toBe(countOf(list, counter, sinceMs))
          expect(view.sum(counter, sinceMs)).toBe(sumOf(list, counter, sinceMs))
        }
        for (const name of ["one", "two", "three", "four"]) {
          const members = list.filter(
            ({ debit }) => debit.counter === "x" && isAmount(debit) && debit.replaces === name,
          )
          const amounts = members.map(({ debit }) => BigInt(debit.amount))
          expect(view.replaced("x", name)).toEqual(
            members.length === 0
              ? undefined
              : {
                  amount: amounts.reduce((a, b) => (a > b ? a : b)),
                  latestMs: Math.max(...members.map(({ atMs }) => atMs)),
                },
          )
        }
      }
    }),
    { numRuns: 1_500 },
  )
})

test("a hundred thousand transactions, each of its own nonce, are debited and summed in time", () => {
  const usage = new RollingUsage()
  for (let i = 0; i < 100_000; i++) usage.debit(`t${i}`, i, [{ counter: "x", amount: 1n, replaces: `nonce ${i}` }])
  expect(usage.sum("x", 99_000)).toBe(1_000n)
  expect(usage.sum("x", 0)).toBe(100_000n)
})
