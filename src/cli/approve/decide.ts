/**
 * `cosigner approve approve|reject|request`: a person's signed statement about a task. The command reads the task, shows it in words,
 * and signs its statement with the person's own key; or it prints the statement for another machine, and takes the signature back.
 */
import type { SignedStatement } from "../../approvals/approver.ts"
import { APPROVER_NAME, type ApprovalDecision } from "../../approvals/statement.ts"
import { EXIT, type ExitCode } from "../../errors/entry.ts"
import { CosignerError } from "../../errors.ts"
import { statementFor, type WaitingTask } from "../../kit/approving/desk.ts"
import { signWord, takenBack } from "../../kit/approving/sign.ts"
import type { People } from "../../policy/people.ts"
import { publicKeyIn } from "../../signers/keyFile.ts"
import { openSigner } from "../../signers/open.ts"
import { type CommandBase, command, flag, refuse, required, type ValuesOf, value } from "../command.ts"
import { bytesOfFile } from "../payloads.ts"
import { requireYes } from "./ask.ts"
import { openDesk } from "./desk.ts"
import { deskOptions, signingOptions } from "./options.ts"
import { shownJson, shownLines } from "./shown.ts"

const DETAILS =
  "The task's document comes from WaaS and is read here, by the decoders of the nodes: what is shown and signed is that reading, without WaaS's names. " +
  "Names are those of [intent] in the file that --approvers names, or --config. Your key signs the statement that --statement-only prints."

const options = {
  ...deskOptions,
  ...signingOptions,
  task: value("--task <id>", "only this task of the request (default: all that wait)"),
  statementOnly: flag("--statement-only", "print the statement, to be signed elsewhere, and send nothing"),
  signature: value("--signature <file>", "what `ssh-keygen -Y sign` made of a printed statement"),
  statement: value("--statement <file>", "that statement (default: the signature's file without .sig)"),
}

interface Deciding {
  readonly decision: ApprovalDecision
  readonly summary: string
  readonly details: string
  readonly question: string
}

const deciding = ({ decision, summary, details, question }: Deciding) =>
  command({
    summary,
    details,
    args: { id: required("request-id", "as `cosigner approve list` shows it") },
    options,
    examples: [
      [`cosigner approve ${decision} 4d0c... --as ada --key ~/.ssh/id_ed25519`, "with a key file"],
      [
        `cosigner approve ${decision} 4d0c... --as ada --key ~/.ssh/id_ecdsa_sk --with ssh-keygen`,
        "with a security key",
      ],
      [`cosigner approve ${decision} 4d0c... --as ada --statement-only > word`, "to be signed on another machine"],
    ],
    run: async (base) => {
      const { args, options, out } = base
      using opened = await openDesk(base, options)
      const { desk, people } = opened
      const tasks = (await desk.open(args.id)).filter(({ subject }) => subject.task === (options.task ?? subject.task))
      const problem = tasks.find((one) => one.problem !== undefined)?.problem
      if (problem !== undefined && decision !== "reject") throw new CosignerError("E-CLI-050", { id: args.id, problem })
      if (options.statementOnly) return printed(base, single(tasks), decision, nameOf(options.as))
      for (const line of tasks.flatMap((one) => shownLines(one, people))) out.note(line)
      const signed = await words(base, { options, tasks, people, decision, question })
      for (const one of signed) await desk.send(args.id, one)
      out.result(
        { request_id: args.id, decision, sent: true, tasks: tasks.map((one) => shownJson(one, people)) },
        tasks.map(({ subject }) => `Sent: ${decision} of task ${subject.task}`),
      )
      return EXIT.ok
    },
  })

/** Only one statement can be signed elsewhere. */
function single(tasks: readonly WaitingTask[]): WaitingTask {
  const [first, second] = tasks
  if (first === undefined || second !== undefined)
    return refuse("--task", "which task of the request it is", tasks.map(({ subject }) => subject.task).join(", "))
  return first
}

/** With --json an object, otherwise the statement's own bytes. */
function printed({ out }: CommandBase, waiting: WaitingTask, decision: ApprovalDecision, approver: string): ExitCode {
  const text = Buffer.from(statementFor(waiting, decision, approver, Date.now())).toString("utf8")
  // the printer adds the line end
  out.result({ statement: text }, [text.slice(0, -1)])
  out.note(
    "Sign the file with: ssh-keygen -Y sign -n cosigner-approval -f KEY FILE; then give back --signature FILE.sig",
  )
  return EXIT.ok
}

interface DecidingAsked {
  readonly options: ValuesOf<typeof options>
  readonly tasks: readonly WaitingTask[]
  readonly people: People | undefined
  readonly decision: ApprovalDecision
  readonly question: string
}

async function words({ env }: CommandBase, asked: DecidingAsked): Promise<readonly SignedStatement[]> {
  const { options, tasks, people, decision, question } = asked
  if (options.signature !== undefined) return [brought(asked, options.signature)]
  const approver = nameOf(options.as)
  const file = options.key ?? refuse("--key", "your OpenSSH key, or --signature", "none")
  using signer = await openSigner({ file, way: options.with, agent: env["SSH_AUTH_SOCK"] })
  if (!options.yes) await requireYes(question)
  const signed: SignedStatement[] = []
  for (const one of tasks) signed.push(await signWord(one, { decision, approver, signer, people, nowMs: Date.now() }))
  return signed
}

const nameOf = (as: string | undefined): string =>
  as !== undefined && APPROVER_NAME.test(as) ? as : refuse("--as", "your name in [[approvers]]", as ?? "none")

const MAX_SIGNATURE = 16 * 1024

function brought({ options, tasks, people, decision }: DecidingAsked, file: string): SignedStatement {
  const beside = options.statement ?? (file.endsWith(".sig") ? file.slice(0, -4) : undefined)
  const statement = bytesOfFile("--statement", beside ?? refuse("--statement", "the file that was signed", "none"))
  const armored = Buffer.from(bytesOfFile("--signature", file).subarray(0, MAX_SIGNATURE)).toString("latin1")
  const key = people === undefined ? { publicKey: publicKeyIn(keyFileOf(options.key)) } : { people }
  return takenBack(single(tasks), decision, { statement, armored }, key)
}

const keyFileOf = (file: string | undefined): string =>
  file ?? refuse("--key", "the public half of the key that signed, or --approvers", "none")

export const approve = deciding({
  decision: "approve",
  summary: "Approve a task with your own key",
  details: DETAILS,
  question: "Approve it",
})

export const reject = deciding({
  decision: "reject",
  summary: "Reject a task: the word of one member is enough",
  details: `${DETAILS}\nA node that has your rejection refuses the task. WaaS can keep it from the nodes; who must be sure tells the node's operator.`,
  question: "Reject it",
})

export const request = deciding({
  decision: "request",
  summary: "Confirm that you asked for a task, which makes you its initiator",
  details: `${DETAILS}\nThe initiator of a task never counts as its approver.`,
  question: "Confirm that you asked for it",
})
