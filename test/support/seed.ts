/** Before all tests: the seed of every property that sets none of its own. `npm test` prints it. */
import fc from "fast-check"

fc.configureGlobal({ seed: Number(process.env["COSIGNER_SEED"] ?? 1) })
