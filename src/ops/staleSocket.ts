/** The name of a Unix socket before somebody listens there: what a killed node left behind goes, everything else stays. */
import { lstatSync, unlinkSync } from "node:fs"
import { connect } from "node:net"

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
    socket.on("error", () => resolve(false))
  })
  if (isAnswered) throw new Error("another process listens there")
  unlinkSync(path)
}
