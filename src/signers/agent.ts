/**
 * Signing by an ssh-agent (draft-ietf-sshm-ssh-agent) over the socket that SSH_AUTH_SOCK names. The agent holds the keys. This file
 * makes two requests: the list of keys, and a signature. Answers are bounded before they are read.
 */
import { type Bytes, concat, equal, u8, u32be } from "../bytes.ts"
import { ByteReader, block, Malformed } from "../codec.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"
import { type SshSigner, sshsigInput, sshsigOf } from "./signer.ts"

const REQUEST_IDENTITIES = 11
const IDENTITIES_ANSWER = 12
const SIGN_REQUEST = 13
const SIGN_RESPONSE = 14

/** OpenSSH's own bound. */
const MAX_ANSWER = 256 * 1024
const MAX_KEYS = 2048
/** Allows time for a person to confirm or touch. */
const ANSWER_MS = 120_000

/** The keys that the agent at `socket` offers. Throws E-CLI-046. */
async function agentKeys(socket: string): Promise<readonly Bytes[]> {
  return await guarded(async () => {
    const from = await ask(socket, u8(REQUEST_IDENTITIES), IDENTITIES_ANSWER)
    const count = from.u32()
    if (count > MAX_KEYS) from.refuse(`more than ${MAX_KEYS} keys`)
    const keys: Bytes[] = []
    for (let i = 0; i < count; i++) {
      keys.push(from.block(1, MAX_ANSWER))
      from.window(4, 0, MAX_ANSWER)
    }
    from.end()
    return keys
  })
}

/** The signer of a key that the agent holds. Throws E-CLI-046 if it does not. */
export async function agentSigner(socket: string, publicKey: Bytes): Promise<SshSigner> {
  const keys = await agentKeys(socket)
  if (!keys.some((key) => equal(key, publicKey)))
    throw new CosignerError("E-CLI-046", { why: `it holds ${keys.length} keys, and not this one` })
  return {
    publicKey,
    sign: (namespace, message) =>
      guarded(async () => {
        const request = concat(u8(SIGN_REQUEST), block(publicKey), block(sshsigInput(namespace, message)), u32be(0))
        const from = await ask(socket, request, SIGN_RESPONSE)
        const signature = from.block(1, MAX_ANSWER)
        from.end()
        return sshsigOf(publicKey, namespace, signature)
      }),
    [Symbol.dispose]: () => undefined,
  }
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof CosignerError) throw error
    const errno = errnoOf(error)
    if (!(error instanceof Malformed) && errno === undefined) throw error
    const why = errno === undefined ? `its answer is none (${error instanceof Error ? error.message : ""})` : errno
    throw new CosignerError("E-CLI-046", { why }, { cause: error })
  }
}

/** One request on a connection of its own; the returned reader is positioned after the answer's type. */
async function ask(socket: string, request: Uint8Array, type: number): Promise<ByteReader> {
  const answer = Promise.withResolvers<Bytes>()
  const refuse = (why: string) => answer.reject(new CosignerError("E-CLI-046", { why }))
  let got = new Uint8Array(0)
  let unsent: Uint8Array = block(request)
  const send = (to: Bun.Socket<undefined>) => {
    unsent = unsent.subarray(to.write(unsent))
  }
  const connection = await Bun.connect<undefined>({
    unix: socket,
    socket: {
      open: send,
      drain: send,
      data(_, chunk) {
        got = concat(got, chunk)
        if (got.length < 4) return
        const length = new ByteReader(got).u32()
        if (length === 0 || length > MAX_ANSWER) refuse("its answer has no bounds")
        else if (got.length >= 4 + length) answer.resolve(got.subarray(4, 4 + length))
      },
      close: () => refuse("it ended the connection"),
      error: (_, error) => answer.reject(error),
    },
  })
  const timer = setTimeout(() => refuse(`no answer within ${ANSWER_MS / 1000} s`), ANSWER_MS)
  try {
    const from = new ByteReader(await answer.promise)
    if (from.u8() !== type) throw new CosignerError("E-CLI-046", { why: "it refused" })
    return from
  } finally {
    clearTimeout(timer)
    connection.end()
  }
}
