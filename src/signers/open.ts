/** Opens the signer that a person names: a key file, and the program that opens it. */
import { CosignerError } from "../errors.ts"
import { agentSigner } from "./agent.ts"
import { isPublicKeyFile, openKeyFile, publicKeyIn } from "./keyFile.ts"
import type { SshSigner } from "./signer.ts"
import { keygenSigner } from "./sshKeygen.ts"

export const SIGNING_WAYS = ["file", "agent", "ssh-keygen"] as const
export type SigningWay = (typeof SIGNING_WAYS)[number]

interface NamedKey {
  /** Either half of an OpenSSH key. */
  readonly file: string
  /** If it is not given, a private half signs itself, and a public half stands for a key in the agent. */
  readonly way: SigningWay | undefined
  /** SSH_AUTH_SOCK. */
  readonly agent: string | undefined
}

/** Throws E-CLI-045 for a file that cannot be used, E-CLI-046 for an agent that cannot be used. */
export async function openSigner({ file, way, agent }: NamedKey): Promise<SshSigner> {
  const chosen = way ?? (isPublicKeyFile(file) ? "agent" : "file")
  if (chosen === "file") return openKeyFile(file)
  const publicKey = publicKeyIn(file)
  if (chosen === "ssh-keygen") return keygenSigner(file, publicKey)
  if (agent === undefined || agent === "") throw new CosignerError("E-CLI-046", { why: "SSH_AUTH_SOCK names none" })
  return await agentSigner(agent, publicKey)
}
