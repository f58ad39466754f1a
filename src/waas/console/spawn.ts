/** Starts the thread that the console runs in: this program's own. */
import { build } from "../../build.ts"

// In the binary this module lies in the bundle's root, and the thread's program in the folder of its own entry point.
const PROGRAM = new URL(build.mode === "compiled" ? "./waas/console/worker.ts" : "./worker.ts", import.meta.url)

export const spawnConsole = (): Worker => new Worker(PROGRAM, { smol: true })
