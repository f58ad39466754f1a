/** Starts the console's thread. */
import { build } from "../../build.ts"

// In the compiled binary this module is in the root of the bundle, and the thread's program in the folder of its own entry point.
const PROGRAM = new URL(build.mode === "compiled" ? "./waas/console/worker.ts" : "./worker.ts", import.meta.url)

export const spawnConsole = (): Worker => new Worker(PROGRAM, { smol: true })
