/** The initiator's signed statement about a request that this program has just made. It is signed only if the task is what was asked for. */
import { APPROVER_NAME } from "../../approvals/statement.ts"
import { CosignerError, isCode } from "../../errors.ts"
import type { Desk, WaitingTask } from "../../kit/approving/desk.ts"
import { signWord } from "../../kit/approving/sign.ts"
import { openSigner, type SigningWay } from "../../signers/open.ts"
import type { SshSigner } from "../../signers/signer.ts"
import type { SignMessage } from "../../wire/task.ts"
import { amiss } from "../client/verified.ts"
import { refuse } from "../command.ts"

export interface Initiator extends Disposable {
  readonly name: string
  readonly signer: SshSigner
}

interface GivenInitiator {
  readonly as: string | undefined
  readonly key: string | undefined
  readonly with: SigningWay | undefined
}

/** Opened before the request is made: a key that cannot be used must not leave a request behind. Undefined without --as. */
export async function initiatorOf(
  { as, key, with: way }: GivenInitiator,
  agent: string | undefined,
): Promise<Initiator | undefined> {
  if (as === undefined && key === undefined) return undefined
  const name =
    as !== undefined && APPROVER_NAME.test(as) ? as : refuse("--as", "your name in [[approvers]]", as ?? "none")
  const signer = await openSigner({ file: key ?? refuse("--key", "your OpenSSH key", "none"), way, agent })
  return { name, signer, [Symbol.dispose]: () => signer[Symbol.dispose]() }
}

interface OwnRequest {
  readonly desk: Desk
  readonly id: string
  readonly asked: readonly SignMessage[]
  /** Whether nodes may still say what they wait for. */
  readonly isOpen: () => Promise<boolean>
  readonly seconds: number
}

/**
 * Signs as soon as a node asks for it, because the epoch that the statement names is not known before. True if it signed; false if
 * no node asked, and none will any more. Throws E-CLI-032 if WaaS made another task of the request than was asked for.
 */
export async function signOwnRequest(own: OwnRequest, { name, signer }: Initiator): Promise<boolean> {
  const waiting = await awaitedTask(own)
  if (waiting === undefined) return false
  const { problem, subject, task } = waiting
  // A payload that is read gives exactly these digests.
  if (problem !== undefined || task.type !== "KeySign" || !isSame(task.messages, own.asked))
    throw amiss(`request ${own.id} became a task that does something else: ${problem ?? subject.reading.join("; ")}`)
  const word = { decision: "request", approver: name, signer, people: undefined, nowMs: Date.now() } as const
  await own.desk.send(own.id, await signWord(waiting, word))
  return true
}

const POLL_MS = 200

async function awaitedTask({ desk, id, isOpen, seconds }: OwnRequest): Promise<WaitingTask | undefined> {
  const end = performance.now() + seconds * 1000
  for (;;) {
    const wasOpen = await isOpen()
    const [task] = await openTasks(desk, id)
    if (task !== undefined) return task
    if (!wasOpen) return undefined
    if (performance.now() > end) throw new CosignerError("E-CLI-052", { id })
    await Bun.sleep(POLL_MS)
  }
}

async function openTasks(desk: Desk, id: string): Promise<readonly WaitingTask[]> {
  try {
    return await desk.open(id)
  } catch (error) {
    if (isCode(error, "E-CLI-052")) return []
    throw error
  }
}

const isSame = (got: readonly SignMessage[], asked: readonly SignMessage[]): boolean =>
  got.length === asked.length &&
  got.every((one, i) => {
    const other = asked[i]
    return one.bip32_path === other?.bip32_path && one.msg_hash === other.msg_hash && one.tweak === other.tweak
  })
