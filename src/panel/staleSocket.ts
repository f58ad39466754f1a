/** Frees the name of a Unix socket before a process listens there: removes a socket that a killed node left behind, and nothing else. */
import { lstatSync, unlinkSync } from "node:fs"
import { connect } from "node:net"
import { errnoOf } from "../files.ts"

/** Removes a socket that a killed node left behind. A socket that somebody listens on stays, and so does any other file. */
export async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new Error("something that is no socket is in its place")
  const isAnswered = await new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    })
    // Any other failure, of permission or of a full queue, does not show that nobody listens.
    socket.on("error", (error) => resolve(errnoOf(error) !== "ECONNREFUSED"))
  })
  if (isAnswered) throw new Error("another process listens there")
  unlinkSync(path)
}
