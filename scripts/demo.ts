/** `npm run demo`: builds the binary and runs its demo. With --json stdout carries the demo's JSON lines alone. */
import { binary, buildBinary, passThrough } from "./toolchain.ts"

await buildBinary()
process.exit(await passThrough([binary, "demo", ...process.argv.slice(2)]))
