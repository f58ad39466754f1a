/** The options of the approvers' commands: which WaaS, who signs, and with which key. */
import { SIGNING_WAYS } from "../../signers/open.ts"
import { profileOption } from "../client/profile.ts"
import { vaultOption } from "../client/vault.ts"
import { choice, flag, value } from "../command.ts"

export const deskOptions = {
  profile: profileOption,
  vault: vaultOption,
  approvers: value(
    "--approvers <file>",
    "[[approvers]] and [intent] of the nodes: who has signed is verified with it, and its names are shown",
  ),
}

export const signingOptions = {
  as: value("--as <name>", "your name in [[approvers]]"),
  key: value("--key <file>", "your OpenSSH key; of a key in the ssh-agent its .pub file"),
  with: choice("--with <way>", "who opens the key (default: file, of a .pub file agent)", SIGNING_WAYS),
  yes: flag("--yes", "do not ask: whatever calls this has looked itself"),
}
