/**
 * Loaded before the program, as `bun --preload`: keeps hold of every Secret that the program makes, and once it runs lets an
 * error that nobody catches come up with the live ones in it, in the way that THROW names.
 */
import { Secret } from "../../../src/secret.ts"

const made: Secret[] = []
const keep =
  (make: (bytes: Uint8Array<ArrayBuffer>) => Secret) =>
  (bytes: Uint8Array<ArrayBuffer>): Secret => {
    const secret = make(bytes)
    made.push(secret)
    return secret
  }
Object.assign(Secret, { take: keep(Secret.take), from: keep(Secret.from) })

const bytesOf = (secret: Secret): Uint8Array | undefined => {
  try {
    return secret.expose().some((byte) => byte !== 0) ? Uint8Array.from(secret.expose()) : undefined
  } catch {
    return undefined // wiped
  }
}

/** What was ever exposed and is alive: keys that the program uses now, and copies of the others from when they lived. */
const seen: Uint8Array[] = []
const looking = setInterval(() => {
  for (const secret of made) {
    const bytes = bytesOf(secret)
    if (bytes !== undefined && !seen.some((known) => Bun.deepEquals(known, bytes))) seen.push(bytes)
  }
}, 1)

const WAYS: Readonly<Record<string, () => void>> = {
  fields: () => {
    throw Object.assign(new Error("boom"), { secrets: made, cause: made[0], inner: { list: [...made] } })
  },
  text: () => {
    throw new Error(`boom ${made.join(" ")} ${JSON.stringify({ made })}`)
  },
  // the runtime quotes what it stumbles over
  parse: () => {
    JSON.parse(`{"a": ${Buffer.from(seen[0] ?? []).toString("hex")}x}`)
  },
  message: () => {
    throw new TypeError(`cannot read ${seen.map((bytes) => Buffer.from(bytes).toString("base64")).join(" ")}`)
  },
  bytes: () => {
    throw seen
  },
  rejection: () => {
    void Promise.reject(seen[0])
  },
  "rejection with a secret": () => {
    void Promise.reject(made[0])
  },
}

const write = process.stderr.write.bind(process.stderr)
const done = Promise.withResolvers<void>()
setTimeout(function wait() {
  if (seen.length < 3) return void setTimeout(wait, 5)
  write("the error comes now\n")
  clearInterval(looking)
  done.resolve()
  // outside of every promise of the program
  setTimeout(() => WAYS[process.env["THROW"] ?? ""]?.(), 0)
}, 5)
