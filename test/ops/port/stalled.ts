/** A process whose main thread says nothing more, with a status port that tells of it on stderr. Prints the port's URL. */
import { rig } from "./rig.ts"

const { url } = await rig({ stall: { limitMs: 100, format: "logfmt" } })
process.stdout.write(`${url}\n`)
