/**
 * WaaS's signing key: in its file, or behind a command, so that it can stay in a KMS or HSM (docs/how-to/replicas.md). WaaS runs the
 * command once for each signature, with `sign` as its last argument and the message on standard input; it answers with the Ed25519
 * signature. With `public-key` it answers with the key. Answers are 64 or 32 bytes in hex or base64. Every signature is verified
 * before it is used.
 */
import { type Bytes, copy, fromHex } from "../bytes.ts"
import { isStrictKey, verifyEd25519 } from "../crypto/ed25519.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"
import { readBounded } from "../outbound.ts"
import type { RemoteSigner, Signer } from "../wire/signed.ts"
import type { WaasConfig } from "./config.ts"
import { readKeyFile, type WaasFiles } from "./files.ts"

interface ServingKeys {
  /** Signs task, start and cancel documents and the token of WaaS; nodes pin its public key. */
  readonly tasks: RemoteSigner
  /** The same key with a queue of its own, for handshakes: strangers who dial cannot delay tasks. */
  readonly challenges: RemoteSigner
  /** Signs REST answers. It is another key, always from the key file. */
  readonly responses: Signer
}

/** Limit for one answer of the command; a slower HSM is of no use. */
const ANSWER_MS = 5_000
/** Limit for the command's output; a signature in hex needs 129 bytes with its line end. */
const MOST_BYTES = 1_024
/** Processes at one time, for tasks and for handshakes. */
const MOST_TASKS = 6
const MOST_CHALLENGES = 2
/** Signatures that may wait for a process. */
const MOST_WAITING = 4_096

/** Throws E-WAA-002 and E-WAA-003 for the key file, E-WAA-075 for a command that does not answer with its public key. */
export async function waasKeys(
  { keyCommand: words }: Pick<WaasConfig, "keyCommand">,
  files: Pick<WaasFiles, "dir" | "key">,
  answerMs = ANSWER_MS,
): Promise<ServingKeys> {
  const { tasks, responses } = readKeyFile(files)
  if (words.length === 0) return { tasks, challenges: tasks, responses }
  const publicKey = decoded(await answerOf(words, "public-key", new Uint8Array(0), answerMs), 32)
  if (publicKey === undefined || !isStrictKey(publicKey)) {
    throw failed(words, "its answer to public-key is not the public key of an Ed25519 key pair")
  }
  return {
    tasks: commandSigner(words, publicKey, MOST_TASKS, answerMs),
    challenges: commandSigner(words, publicKey, MOST_CHALLENGES, answerMs),
    responses,
  }
}

/** Signs by the command, with at most `most` processes at one time; further signatures wait in order. Rejects with E-WAA-075. */
function commandSigner(words: readonly string[], publicKey: Bytes, most: number, answerMs: number): RemoteSigner {
  const waiting: (() => void)[] = []
  let running = 0
  const turn = async (): Promise<void> => {
    if (running < most) {
      running++
      return
    }
    if (waiting.length >= MOST_WAITING) throw failed(words, `${MOST_WAITING} signatures are waited for already`)
    await new Promise<void>((resolve) => waiting.push(resolve))
  }
  const done = (): void => {
    const next = waiting.shift()
    if (next === undefined) running--
    else next()
  }
  return {
    publicKey,
    async sign(message) {
      await turn()
      try {
        const signature = decoded(await answerOf(words, "sign", message, answerMs), 64)
        if (signature === undefined) throw failed(words, "its answer to sign is not a signature of 64 bytes")
        if (verifyEd25519(publicKey, message, signature)) return signature
        throw failed(words, "its signature does not verify under the public key that it gave at the start")
      } finally {
        done()
      }
    },
  }
}

/**
 * Runs the command once and returns its output. It gets a process group of its own, so that a command that takes too long, says too
 * much or fails can be killed with all processes that it started.
 */
async function answerOf(words: readonly string[], verb: "sign" | "public-key", input: Uint8Array, answerMs: number) {
  const child = started([...words, verb], input)
  const { promise: late, resolve } = Promise.withResolvers<"late">()
  const limit = setTimeout(() => resolve("late"), answerMs)
  try {
    const said = await Promise.race([readBounded(new Response(child.stdout), MOST_BYTES), late])
    if (said === undefined) throw failed(words, `it says more than ${MOST_BYTES} bytes`)
    const exit = said === "late" ? "late" : await Promise.race([child.exited, late])
    if (said === "late" || exit === "late") throw failed(words, `it did not answer within ${answerMs / 1000} s`)
    if (exit !== 0) throw failed(words, `it ended with ${child.signalCode ?? exit}`)
    return said.toString("latin1").trim()
  } catch (error) {
    endGroup(child.pid)
    throw error
  } finally {
    clearTimeout(limit)
  }
}

function started(words: readonly string[], input: Uint8Array) {
  try {
    return Bun.spawn([...words], { stdin: copy(input), stdout: "pipe", stderr: "ignore", detached: true })
  } catch (cause) {
    throw failed(words, "it cannot be run", cause)
  }
}

/** Kills the whole group: if only a wrapper script were killed, its child would live on and keep the pipe open. */
function endGroup(leader: number): void {
  try {
    process.kill(-leader, "SIGKILL")
  } catch (error) {
    if (errnoOf(error) !== "ESRCH") throw error
  }
}

const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** Decodes exactly so many bytes from hex or base64; undefined for anything else. */
function decoded(text: string, bytes: number): Bytes | undefined {
  if (text.length === 2 * bytes) return fromHex(text.toLowerCase())
  if (!BASE64.test(text)) return undefined
  const made = copy(Buffer.from(text, "base64"))
  return made.length === bytes ? made : undefined
}

const failed = ([program = ""]: readonly string[], problem: string, cause?: unknown): CosignerError =>
  new CosignerError("E-WAA-075", { program, problem }, { cause })
