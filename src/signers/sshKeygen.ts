/**
 * Signing by ssh-keygen: for security keys, whose touch and PIN it asks for, and for key files with a passphrase. It talks to
 * the person on the terminal; its output is the signature.
 */

import { dearmorSshsig } from "../approvals/sshsig.ts"
import type { Bytes } from "../bytes.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf } from "../files.ts"
import type { SshSigner } from "./signer.ts"

/** A signature of any kind of key is below 2 kB. */
const MAX_OUTPUT = 16 * 1024

/** `file` is what ssh-keygen takes: a private key, a security key's stub, or the public half of a key in the agent. */
export function keygenSigner(file: string, publicKey: Bytes): SshSigner {
  return {
    publicKey,
    sign: (namespace, message) => signedBy(["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", file], message),
    [Symbol.dispose]: () => undefined,
  }
}

async function signedBy(command: string[], message: Uint8Array): Promise<Bytes> {
  const child = spawned(command, message)
  let output = ""
  for await (const chunk of child.stdout) {
    output += Buffer.from(chunk).toString("latin1")
    if (output.length > MAX_OUTPUT) {
      child.kill()
      throw new CosignerError("E-CLI-047", { why: "it printed more than a signature" })
    }
  }
  const exit = await child.exited
  if (exit !== 0) throw new CosignerError("E-CLI-047", { why: `it ended with exit code ${exit}` })
  const blob = dearmorSshsig(output)
  if ("problem" in blob)
    throw new CosignerError("E-CLI-047", { why: `what it printed is no signature: ${blob.problem}` })
  return blob
}

function spawned(command: string[], message: Uint8Array) {
  try {
    return Bun.spawn(command, { stdin: message, stdout: "pipe", stderr: "inherit" })
  } catch (cause) {
    const why =
      errnoOf(cause) === "ENOENT" ? "there is no ssh-keygen on the PATH" : (errnoOf(cause) ?? "it cannot be run")
    throw new CosignerError("E-CLI-047", { why }, { cause })
  }
}
