/**
 * The rights that the process gives up to protect its memory: no core dumps, no tracing by others of the
 * same user, no privileges to gain, nothing swapped out, and finally no new executable memory. Each measure that cannot be
 * taken is an error with its remedy; the caller decides whether a node runs without it (`isEssential`).
 */
import { readFileSync } from "node:fs"
import { constants } from "node:os"
import { CosignerError } from "../errors.ts"
import { INFINITY, type Libc, libc, type ResourceLimit } from "./libc.ts"

type Shortfall = CosignerError<"E-OPS-001" | "E-OPS-002" | "E-OPS-003" | "E-OPS-004" | "E-OPS-005" | "E-OPS-007">

const PR_GET_DUMPABLE = 3
const PR_SET_DUMPABLE = 4
const PR_SET_NO_NEW_PRIVS = 38
const PR_GET_NO_NEW_PRIVS = 39
const PR_SET_MDWE = 65
const PR_MDWE_REFUSE_EXEC_GAIN = 1
const RLIMIT_CORE = 4
const RLIMIT_MEMLOCK = 8
/** CURRENT | FUTURE | ONFAULT: without the last, all of the runtime's reserved address space would become memory. */
const LOCK_FLAGS = 7
const CAP_IPC_LOCK = 14n

/**
 * Measures that any process can take, in any container. If one fails, something unknown is wrong, and production
 * does not start. Locked memory needs a limit that many machines do not grant, and W^X needs a recent kernel: their lack is only reported.
 */
const ESSENTIAL: ReadonlySet<string> = new Set(["E-OPS-001", "E-OPS-002", "E-OPS-003", "E-OPS-006"])
export const isEssential = (error: CosignerError): boolean => ESSENTIAL.has(error.code)

/** Must run before the first secret is read. Returns the measures that failed; an empty list is a hardened process. */
export function harden(): readonly Shortfall[] {
  const c = open()
  if (c instanceof CosignerError) return [c]
  return [noCore(c), notDumpable(c), noNewPrivileges(c)].filter((found) => found !== undefined)
}

/**
 * A descriptor of /proc/PID/mem that was opened before a process became undumpable can read its memory as long as the process lives
 * (measured on Linux 6.18: the right is checked only at the opening), and no process can revoke it from within. The only protection is
 * that others of the user may not open it in the first place: Yama's ptrace_scope leaves it to ancestors (1), to those with
 * CAP_SYS_PTRACE (2), or to nobody (3). `read` gives the setting's text, and throws if the kernel has none.
 */
export function tracing(
  read = () => readFileSync("/proc/sys/kernel/yama/ptrace_scope", "utf8"),
  uid = process.getuid?.(),
): CosignerError<"E-OPS-012"> | undefined {
  // root reads every memory, whatever is set
  if (process.platform !== "linux" || uid === 0) return undefined
  try {
    const scope = read().trim()
    return /^[1-3]$/.test(scope) ? undefined : new CosignerError("E-OPS-012", { scope: `ptrace_scope is ${scope}` })
  } catch {
    return new CosignerError("E-OPS-012", { scope: "this kernel has no ptrace_scope" })
  }
}

/**
 * From now on nothing of this process is swapped out. Called after the database was opened: locked memory is never given back,
 * and the password's key derivation needs 64 MiB once.
 */
export function lockMemory(): Shortfall | undefined {
  const c = open()
  return c instanceof CosignerError ? c : lockAll(c)
}

/** Called after the warm-up: from now on no memory becomes executable that is not yet. Memory that the runtime's compiler reserved stays. */
export function sealCode(): Shortfall | undefined {
  const c = open()
  if (c instanceof CosignerError) return c
  const why = (text: string) => new CosignerError("E-OPS-005", { why: text })
  // On other machines the runtime's compiler may still need what this denies, so it is not tried and counts as not done.
  if (process.arch !== "x64") return why(`it is not tried on ${process.arch}`)
  const failed = c.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN)
  return failed < 0 ? why(`${nameOf(failed)} (it needs Linux 6.3)`) : undefined
}

function open(): Libc | CosignerError<"E-OPS-007"> {
  if (process.platform !== "linux") return new CosignerError("E-OPS-007", { why: `this is ${process.platform}` })
  try {
    return libc()
  } catch (cause) {
    return new CosignerError("E-OPS-007", { why: "the C library cannot be called" }, { cause })
  }
}

function noCore(c: Libc): Shortfall | undefined {
  const failed = c.setLimit(RLIMIT_CORE, { soft: 0n, hard: 0n })
  const now = c.getLimit(RLIMIT_CORE)
  // A service manager may have set it already, and denied the call.
  if (typeof now !== "number" && now.soft === 0n && now.hard === 0n) return undefined
  return new CosignerError("E-OPS-001", { why: failed < 0 ? nameOf(failed) : "it did not last" })
}

function notDumpable(c: Libc): Shortfall | undefined {
  const failed = c.prctl(PR_SET_DUMPABLE, 0)
  const why = failed < 0 ? nameOf(failed) : c.prctl(PR_GET_DUMPABLE, 0) === 0 ? undefined : "it did not last"
  return why === undefined ? undefined : new CosignerError("E-OPS-002", { why })
}

function noNewPrivileges(c: Libc): Shortfall | undefined {
  const failed = c.prctl(PR_SET_NO_NEW_PRIVS, 1)
  const why = failed < 0 ? nameOf(failed) : c.prctl(PR_GET_NO_NEW_PRIVS, 0) === 1 ? undefined : "it did not last"
  return why === undefined ? undefined : new CosignerError("E-OPS-003", { why })
}

/**
 * Only if no limit applies: a limit counts reserved addresses, of which the runtime has gigabytes. A limit that is just
 * large enough today would make an allocation fail tomorrow.
 */
function lockAll(c: Libc): Shortfall | undefined {
  const limit = c.getLimit(RLIMIT_MEMLOCK)
  if (typeof limit === "number") return new CosignerError("E-OPS-004", { why: nameOf(limit) })
  if (limit.hard !== INFINITY && !mayIgnoreLimit()) {
    return new CosignerError("E-OPS-004", { why: `the limit of locked memory is ${kibibytes(limit)} KiB` })
  }
  if (limit.soft !== limit.hard) c.setLimit(RLIMIT_MEMLOCK, { soft: limit.hard, hard: limit.hard })
  const failed = c.mlockall(LOCK_FLAGS)
  return failed < 0 ? new CosignerError("E-OPS-004", { why: nameOf(failed) }) : undefined
}

const kibibytes = ({ hard }: ResourceLimit): string => String(hard / 1024n)

function mayIgnoreLimit(): boolean {
  const [, hex] = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8")) ?? []
  return hex !== undefined && ((BigInt(`0x${hex}`) >> CAP_IPC_LOCK) & 1n) === 1n
}

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(constants.errno).map(([name, n]) => [n, name]))
/** `EPERM`, from the negative answer of a call. */
export const nameOf = (failed: number): string => NAMES.get(-failed) ?? `errno ${-failed}`
