/** `cosigner callback-test <url>`: plays a hostile node against a callback server and reports what it let through. */
import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto"
import { readFileSync } from "node:fs"
import { readServerKey } from "../callback/servers.ts"
import { authorities } from "../config/startup.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { parseAddress } from "../intent/evm/address.ts"
import { parseEther } from "../kit/callbackServer/words.ts"
import type { Sample } from "../kit/conformance/kit.ts"
import { type CaseResult, type ConformanceReport, runCases } from "../kit/conformance/run.ts"
import { checkServerUrl } from "../wire/serverUrl.ts"
import { rsaProblem } from "../wire/tssJwt.ts"
import { command, integer, refuse, required, value, valueOr } from "./command.ts"

export const callbackTest = command({
  summary: "Test a callback server as a hostile node would",
  details:
    "Give the test server a key pair of its own to trust as its node's: `openssl genrsa -out test-node.key 2048`, and " +
    "`openssl rsa -in test-node.key -pubout`. With --to and --amount of a transfer that it approves, transactions are " +
    "tested too. Never point this at a server whose node is live. Exit 0 only with grade A or B.",
  args: { url: required("url", "where the node would POST, path included") },
  options: {
    nodeKey: value("--node-key <file>", "private key whose public half the server trusts as the node's"),
    serverPub: value("--server-pub <file>", "public key that the server's answers are verified with"),
    to: value("--to <address>", "an EVM destination that the server approves"),
    amount: valueOr("--amount <amount>", "an amount that it approves, with its unit", "0.0001 ether", (text) => text),
    chainId: valueOr("--chain-id <n>", "the chain of that transfer", "1", integer(1, Number.MAX_SAFE_INTEGER)),
    chainName: valueOr("--chain-name <name>", "how extra_info names the chain", "ETH", (text) => text),
    ca: value("--ca <file>", "PEM of the authorities to trust for https, as [callback] ca_path"),
    timeout: valueOr("--timeout <seconds>", "for one answer", "10", integer(1, 600)),
  },
  examples: [
    [
      "cosigner callback-test http://127.0.0.1:11020/v2/check --node-key test-node.key --server-pub server-pub.key --to 0x...",
      "everything, transactions included",
    ],
  ],
  run: async ({ args, options, out }) => {
    const report = await runCases({
      target: {
        url: checkServerUrl(args.url),
        nodeKey: readNodeKey(options.nodeKey ?? refuse("--node-key", "a file", "nothing")),
        serverPublicKey: readServerKey(options.serverPub ?? refuse("--server-pub", "a file", "nothing")),
        strangerKey: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey,
        timeoutMs: options.timeout * 1000,
        ca: authorities("--ca", options.ca),
        now: Date.now,
        newId: () => crypto.randomUUID(),
      },
      sample: options.to === undefined ? undefined : sampleOf(options.to, options),
      only: undefined,
    })
    out.result(report, lines(report, options.to))
    return report.grade === "A" || report.grade === "B" ? EXIT.ok : EXIT.failure
  },
})

function sampleOf(to: string, parts: { amount: string; chainId: number; chainName: string }): Sample {
  return {
    chainId: BigInt(parts.chainId),
    chainName: parts.chainName,
    to: parseAddress(to) ?? refuse("--to", "an EVM address with a right checksum", to),
    amount: parseEther(parts.amount) ?? refuse("--amount", 'an amount such as "0.1 ether"', parts.amount),
  }
}

/** Throws E-RSK-134. */
function readNodeKey(file: string): KeyObject {
  const refuse = (problem: string, cause?: unknown) => new CosignerError("E-RSK-134", { file, problem }, { cause })
  let key: KeyObject
  try {
    key = createPrivateKey(readFileSync(file))
  } catch (error) {
    throw refuse("it cannot be read as a private key in PEM", error)
  }
  const problem = rsaProblem(key)
  if (problem !== undefined) throw refuse(problem)
  return key
}

const MARKS = { pass: "pass", fail: "FAIL", skipped: "skip" } as const

function lines(report: ConformanceReport, to: string | undefined): readonly string[] {
  const line = ({ id, severity, title, outcome, note }: CaseResult): string =>
    `${MARKS[outcome]}  ${severity.padEnd(8)}  ${id}: ${title}${note === "" ? "" : ` - ${note}`}`
  const count = (outcome: CaseResult["outcome"]) => report.results.filter((one) => one.outcome === outcome).length
  return [
    ...report.results.map(line),
    "",
    `Grade ${report.grade}: ${count("pass")} passed, ${count("fail")} failed, ${count("skipped")} skipped`,
    ...(report.approved === "nothing"
      ? [
          to === undefined
            ? "The server approved nothing, so its refusals prove little: give --to and --amount."
            : `The server approved nothing, so its refusals prove little: allow it a transfer to ${to}.`,
        ]
      : []),
  ]
}
