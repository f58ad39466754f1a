/** Where a session worker's program is, in the binary and in the sources. */
import { build } from "../build.ts"

// In the binary this module is in the bundle's root, and the worker is in the folder of its own entry point.
const PROGRAM = new URL(build.mode === "compiled" ? "./workers/worker.ts" : "./worker.ts", import.meta.url)

/** Starts a worker of this program. The worker waits for its `init`. */
export const spawnSessionWorker = (): Worker => new Worker(PROGRAM)
