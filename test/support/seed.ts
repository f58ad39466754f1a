/**
 * Before all tests: the seed of every property that sets none of its own (`npm test` prints it), and the time that a test may
 * take, so that `bun test FILE` needs no option. Bun reads no time limit from its configuration file and forgets this one
 * after the first file; for a whole run `npm test` gives the same limit as an option.
 */
import { setDefaultTimeout } from "bun:test"
import fc from "fast-check"
import { TIMEOUT_MS } from "./timeLimit.ts"

fc.configureGlobal({ seed: Number(process.env["COSIGNER_SEED"] ?? 1) })
setDefaultTimeout(TIMEOUT_MS)
