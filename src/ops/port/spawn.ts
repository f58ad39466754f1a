/** Starts the thread that the status port runs in: this program's own. */
import { build } from "../../build.ts"

// In the binary this module is in the bundle's root, and the thread's program in the folder of its own entry point.
const PROGRAM = new URL(build.mode === "compiled" ? "./ops/port/worker.ts" : "./worker.ts", import.meta.url)

export const spawnPortThread = (): Worker => new Worker(PROGRAM, { smol: true })
