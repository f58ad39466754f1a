/** Signatures of the tests' own security keys, which the code under test takes, against ssh-keygen: both must agree. */
import { expect, test } from "bun:test"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { armorSshsig } from "../../src/approvals/sshsig.ts"
import { sshTestKey } from "../support/approvers.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"
import vectors from "../vectors/sshsig.json"

const LONG = process.env["COSIGNER_LONG"] === "1"

test.if(LONG && Bun.which("ssh-keygen") !== null)(
  "ssh-keygen takes what the tests' keys sign, and refuses another message",
  async () => {
    using folder = temporaryFolder("sshsig")
    for (const type of [
      "ssh-ed25519",
      "ecdsa-sha2-nistp256",
      "sk-ssh-ed25519@openssh.com",
      "sk-ecdsa-sha2-nistp256@openssh.com",
    ] as const) {
      const key = sshTestKey(type)
      writeFileSync(join(folder.path, "allowed"), `alice ${key.line}\n`)
      writeFileSync(join(folder.path, "sig"), armorSshsig(key.sign(Buffer.from(vectors.message))))
      const verify = async (message: string): Promise<number> => {
        const args = ["-Y", "verify", "-f", "allowed", "-I", "alice", "-n", "cosigner-approval", "-s", "sig"]
        const run = Bun.spawn(["ssh-keygen", ...args], {
          cwd: folder.path,
          stdin: Buffer.from(message),
          stdout: "ignore",
          stderr: "ignore",
        })
        return run.exited
      }
      expect([type, await verify(vectors.message)]).toEqual([type, 0])
      expect([type, (await verify(`${vectors.message} `)) === 0]).toEqual([type, false])
    }
  },
)
