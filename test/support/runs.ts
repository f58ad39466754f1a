/**
 * How many cases a property draws: `few` in every run, `many` with COSIGNER_LONG=1, and COSIGNER_RUNS where that is set, so that a
 * long run can be done in slices, each with a COSIGNER_SEED of its own.
 */
export const runs = (few: number, many: number): number =>
  Number(process.env["COSIGNER_RUNS"] ?? (process.env["COSIGNER_LONG"] === "1" ? many : few))
