/** The name of a Unix socket before somebody listens there: what a killed node left behind goes, everything else stays. */
import { lstatSync, unlinkSync } from "node:fs"
import { connect } from "node:net"
import { errnoOf } from "../files.ts"

/** A socket that a killed node left behind; one that somebody listens on stays, and so does anything else. */
export async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found === undefined) return
  if (!found.isSocket()) throw new Error("something that is no socket is in its place")
  const isAnswered = await new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy()
      resolve(true)
    })
    // any other failure, of permission or of a queue that is full, does not show that nobody listens
    socket.on("error", (error) => resolve(errnoOf(error) !== "ECONNREFUSED"))
  })
  if (isAnswered) throw new Error("another process listens there")
  unlinkSync(path)
}
