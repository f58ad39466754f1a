/**
 * The place of a node's admin socket: `run/admin.sock` beside its database (`run/NAME.admin.sock` beside a database that is not
 * called secrets.db), so that a command finds the node by the database that both name. Owns the checks of folder, socket and peer. These
 * keep others out, because the socket itself asks for no name.
 */
import { chmodSync, lstatSync, mkdirSync, realpathSync, type Stats, statSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"
import { libc } from "../../hardening/libc.ts"

const FOLDER = "run"
/** The database name whose socket needs no name of its own. */
const USUAL = "secrets.db"
const SOCKET = "admin.sock"
/** Length of a socket's address on Linux, without its last byte. */
const MAX_ADDRESS = 107
const OTHERS = 0o077
/** Linux: level SOL_SOCKET, option SO_PEERCRED. */
const SOL_SOCKET = 1
const SO_PEERCRED = 17

/** Follows links to the database, so that all names of one file lead to one socket. */
export function socketOf(db: string): string {
  const file = resolved(db)
  const name = basename(file) === USUAL ? SOCKET : `${basename(file)}.${SOCKET}`
  return join(dirname(file), FOLDER, name)
}

function resolved(db: string): string {
  try {
    return realpathSync(db)
  } catch {
    return db
  }
}

/** The shorter of the two spellings of the path that fits into an address; undefined if neither fits. */
export function addressOf(path: string): string | undefined {
  return [path, relative(process.cwd(), path)].find((way) => Buffer.byteLength(way) <= MAX_ADDRESS)
}

/** Makes the folder for this process alone. Returns why it cannot be made. */
export function prepareFolder(path: string, uid: number): string | undefined {
  const folder = dirname(path)
  mkdirSync(folder, { mode: 0o700, recursive: true })
  const found = lstatSync(folder)
  if (!found.isDirectory()) return `${folder} is no folder`
  if (found.uid !== uid) return `${folder} belongs to another user (${found.uid})`
  if ((found.mode & OTHERS) !== 0) chmodSync(folder, 0o700)
  return (lstatSync(folder).mode & OTHERS) === 0 ? undefined : `others may use ${folder}, and its mode cannot be set`
}

/**
 * Checks the owner of the socket before anything is sent to it. Folder and socket must belong to the owner of the database, nobody else
 * may use them, and the command must run as that owner (root may ask any node). Undefined if there is no socket.
 */
export function trusted(
  db: string,
  path: string,
  uid: number,
): { readonly owner: number } | { readonly why: string } | undefined {
  const socket = lookedAt(path)
  if (socket === undefined) return undefined
  const folder = lookedAt(dirname(path))
  const owner = statSync(db, { throwIfNoEntry: false })?.uid
  if (owner === undefined) return undefined
  if (uid !== 0 && owner !== uid) return { why: `the database belongs to another user (${owner})` }
  const wrong = (what: string, stat: Stats | undefined, isKind: boolean): string | undefined => {
    if (stat === undefined || !isKind) return `${what} is not what it should be`
    if (stat.uid !== owner) return `${what} belongs to user ${stat.uid}, the database to ${owner}`
    return (stat.mode & OTHERS) === 0 ? undefined : `others may use ${what} (mode ${(stat.mode & 0o777).toString(8)})`
  }
  const why =
    wrong("the folder", folder, folder?.isDirectory() === true) ?? wrong("the socket", socket, socket.isSocket())
  return why === undefined ? { owner } : { why }
}

const lookedAt = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false })

export interface AdminPeer {
  readonly pid: number
  readonly uid: number
}

/** The process at the other end, as the kernel reports it; undefined if the system cannot report it. */
export function peerOf(socket: object): AdminPeer | undefined {
  // The runtime's sockets have this field, but its types do not.
  const fd = "fd" in socket && typeof socket.fd === "number" ? socket.fd : -1
  if (process.platform !== "linux" || fd < 0) return undefined
  try {
    const [pid, uid] = libc().socketOption(fd, SOL_SOCKET, SO_PEERCRED, 3) ?? []
    return pid === undefined || uid === undefined ? undefined : { pid, uid }
  } catch {
    return undefined
  }
}

/** Whether the process at the other end is that user's or root's. It may be unknown only if the system cannot report it; then the file modes decide. */
export const isUserOrRoot = (peer: AdminPeer | undefined, uid: number): boolean =>
  peer === undefined ? process.platform !== "linux" : peer.uid === uid || peer.uid === 0
