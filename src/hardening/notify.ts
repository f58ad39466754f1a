/**
 * Tells the service manager (sd_notify) when the node is ready, what it does, a reload, the end, and that the event loop still
 * runs. It sends datagrams to $NOTIFY_SOCKET; without that variable nobody has asked, and nothing is opened.
 */

import { CosignerError } from "../errors.ts"
import type { Environment } from "./environment.ts"
import { type Libc, libc } from "./libc.ts"
import { nameOf } from "./process.ts"

interface Notifier {
  /** Begins the watchdog's pings, if the unit has WatchdogSec. */
  ready(status: string): void
  status(text: string): void
  /** Ends with the next `ready`. */
  reloading(): void
  stopping(): void
  [Symbol.dispose](): void
}

const SILENT: Notifier = { ready() {}, status() {}, reloading() {}, stopping() {}, [Symbol.dispose]() {} }

const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
const ECONNREFUSED = -111
const EAGAIN = -11
const AF_UNIX = 1
/** sun_path; a name in the file system also needs its NUL. */
const PATH_BYTES = 108

/**
 * Never throws: a node that cannot reach its manager still signs. `tell` reports the first failure; a manager that waits
 * for READY ends the node itself. A state waits for a full queue, a ping does not, because the next one follows.
 */
export function openNotifier(env: Environment, tell: (error: CosignerError) => void): Notifier {
  const where = env["NOTIFY_SOCKET"]
  if (where === undefined || where === "" || process.platform !== "linux") return SILENT
  const failed = (why: string) => tell(new CosignerError("E-OPS-008", { address: where, why }))
  const address = socketAddress(where)
  if (address === undefined) {
    failed("it is neither an absolute path nor an abstract name")
    return SILENT
  }
  let c: Libc
  try {
    c = libc()
  } catch {
    failed("the C library cannot be called")
    return SILENT
  }
  const socket = c.datagramSocket()
  if (socket < 0) {
    failed(nameOf(socket))
    return SILENT
  }
  return speaker(c, socket, address, watchdogMs(env), failed)
}

function speaker(
  c: Libc,
  socket: number,
  address: Uint8Array,
  watchdog: number | undefined,
  failed: (why: string) => void,
): Notifier {
  let pings: ReturnType<typeof setInterval> | undefined
  let complained = false
  function send(lines: readonly string[], flags = 0): void {
    const result = c.sendTo(socket, Buffer.from(lines.join("\n")), address, MSG_NOSIGNAL | flags)
    if (result >= 0 || (result === EAGAIN && flags !== 0)) return
    if (!complained) failed(result === ECONNREFUSED ? "nobody listens there" : nameOf(result))
    complained = true
  }
  return {
    ready(status) {
      send(["READY=1", `STATUS=${oneLine(status)}`])
      if (watchdog !== undefined) pings ??= setInterval(() => send(["WATCHDOG=1"], MSG_DONTWAIT), watchdog)
    },
    status: (text) => send([`STATUS=${oneLine(text)}`], MSG_DONTWAIT),
    reloading: () => send(["RELOADING=1", `MONOTONIC_USEC=${c.monotonicUs()}`]),
    stopping: () => send(["STOPPING=1", "STATUS=stopping"]),
    [Symbol.dispose]() {
      clearInterval(pings)
      // the socket goes with the process: closing it would need a call more, for nothing
    },
  }
}

/** A line break would begin another assignment. */
const oneLine = (text: string): string => text.replace(/[^\x20-\x7e]/g, " ").slice(0, 200)

/** sockaddr_un, with '@' for an abstract name as systemd writes it; undefined for what is no such address. */
function socketAddress(where: string): Uint8Array | undefined {
  const path = Buffer.from(where, "utf8")
  if (!/^[/@]./.test(where) || path.includes(0)) return undefined
  const abstract = where.startsWith("@")
  if (path.length > (abstract ? PATH_BYTES : PATH_BYTES - 1)) return undefined
  if (abstract) path[0] = 0
  const family = new Uint8Array(Uint16Array.of(AF_UNIX).buffer)
  return Buffer.concat([family, path, abstract ? new Uint8Array(0) : new Uint8Array(1)])
}

/** Half of the time in which the manager expects a ping; undefined if it expects it of another process, or of none. */
function watchdogMs(env: Environment): number | undefined {
  const usec = Number(env["WATCHDOG_USEC"])
  const pid = env["WATCHDOG_PID"]
  if (!(usec > 0) || (pid !== undefined && pid !== String(process.pid))) return undefined
  return Math.max(1, Math.floor(usec / 2000))
}
