/**
 * The few calls of the C library that the runtime has no API for, with the kernel's own convention: a negative result is an
 * errno. Only on Linux with glibc; opened at the first use, so that commands that need none of it never load it.
 */
import { dlopen, ptr, read } from "bun:ffi"

export interface ResourceLimit {
  readonly soft: bigint
  readonly hard: bigint
}

export interface Libc {
  prctl(option: number, value: number): number
  getLimit(resource: number): ResourceLimit | number
  setLimit(resource: number, limit: ResourceLimit): number
  mlockall(flags: number): number
  /** CLOCK_MONOTONIC in microseconds. */
  monotonicUs(): bigint
  /** Whether a write to `fd` would not block or would fail at once, found out within `timeoutMs`. */
  isWritable(fd: number, timeoutMs: number): boolean
  /** A socket's option of so many 32-bit words; undefined if it has none. */
  socketOption(fd: number, level: number, option: number, words: number): readonly number[] | undefined
  /** A socket for datagrams to AF_UNIX addresses. */
  datagramSocket(): number
  /** `address` is a whole sockaddr_un. */
  sendTo(socket: number, message: Uint8Array, address: Uint8Array, flags: number): number
}

/** No limit at all, in rlimit's terms. */
export const INFINITY = 2n ** 64n - 1n

const CLOCK_MONOTONIC = 1
const POLLOUT = 4
const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000

const SYMBOLS = {
  prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
  getrlimit: { args: ["i32", "ptr"], returns: "i32" },
  setrlimit: { args: ["i32", "ptr"], returns: "i32" },
  mlockall: { args: ["i32"], returns: "i32" },
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
  getsockopt: { args: ["i32", "i32", "i32", "ptr", "ptr"], returns: "i32" },
  poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
  __errno_location: { args: [], returns: "ptr" },
} as const

let opened: Libc | undefined

/** Throws the error of dlopen if there is no glibc. */
export function libc(): Libc {
  opened ??= open()
  return opened
}

function open(): Libc {
  const { symbols: c } = dlopen("libc.so.6", SYMBOLS)
  const answer = (result: number | bigint): number => {
    if (result >= 0) return Number(result)
    const at = c.__errno_location()
    return at === null ? -1 : -read.i32(at)
  }
  return {
    prctl: (option, value) => answer(c.prctl(option, value, 0, 0, 0)),
    getLimit(resource) {
      const pair = new BigUint64Array(2)
      const failed = answer(c.getrlimit(resource, ptr(pair)))
      return failed < 0 ? failed : { soft: pair[0] ?? 0n, hard: pair[1] ?? 0n }
    },
    setLimit: (resource, { soft, hard }) => answer(c.setrlimit(resource, ptr(BigUint64Array.of(soft, hard)))),
    mlockall: (flags) => answer(c.mlockall(flags)),
    monotonicUs() {
      const time = new BigInt64Array(2)
      c.clock_gettime(CLOCK_MONOTONIC, ptr(time))
      return (time[0] ?? 0n) * 1_000_000n + (time[1] ?? 0n) / 1000n
    },
    isWritable(fd, timeoutMs) {
      // struct pollfd: int fd, short events, short revents
      const asked = new Int32Array([fd, POLLOUT])
      return c.poll(ptr(asked), 1, timeoutMs) > 0
    },
    socketOption(fd, level, option, words) {
      const value = new Uint32Array(words)
      const length = Uint32Array.of(value.byteLength)
      const failed = c.getsockopt(fd, level, option, ptr(value), ptr(length))
      return failed < 0 || length[0] !== value.byteLength ? undefined : [...value]
    },
    datagramSocket: () => answer(c.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)),
    sendTo: (socket, message, address, flags) =>
      answer(c.sendto(socket, ptr(message), message.length, flags, ptr(address), address.length)),
  }
}
