/** What an operator wants to know beyond the next step, of codes that have no entry of their own, or beside it. */
import type { Code } from "../../errors.ts"

export const NOTES: Readonly<Partial<Record<Code, string>>> = {
  "E-CLI-004":
    "A service has no terminal. Under systemd the password comes as the credential `cosigner-password`; in a container as a mounted file named by `--key-file`. A password in a variable or an argument is not supported: both can be read by others.",
  "E-CLI-007":
    "The name is resolved once, and the open file and its folder are judged: links of a mounted volume are fine. A mounted secret of Kubernetes belongs to root, and `fsGroup` adds its group to any mode: give the password as the credential `cosigner-password`, which may be readable ([Kubernetes](../how-to/kubernetes.md)).",
  "E-INT-004":
    "Either the path belongs to another chain, or WaaS asks for a chain that nobody meant to sign for. A transaction of a test network on a path of mainnet coins is the harmless case; the same the other way round is how funds are lost. Find out who chose the path before you widen [[intent.paths]].",
  "E-INT-005":
    "What was shown and what would be signed are two things. One such task may be a defect of a wallet or of WaaS; treat it as an attack until you know which: keep the task, compare with what the other nodes got, and do not ask again with the hash left out.",
  "E-INT-006": "A message was added, left out or repeated. For Bitcoin every input of the key belongs into one task.",
  "E-INT-025":
    "Contracts take sloppy call data; this node does not, because two readers could disagree about it. Wallets that append bytes to calls (referral or attribution codes) cause it: ask for the call without them.",
  "E-INT-031":
    "Somebody wants a permit, a transfer or a forwarded call in the name of an account that is not the key's. For a Safe or another contract account that this key signs for, list it; for anything else find out who asks.",
  "E-STO-003":
    "The lock belongs to a process and goes with it, also after a crash: there is never a file to remove. If the holder is an old node that does not end, `kill -TERM` it and wait; `kill -KILL` loses nothing that was acknowledged.",
  "E-STO-004":
    "A wrong password and a password for another database look the same. There is no way around it and no back door: look for the password that belongs to this file, or restore a backup whose password is known.",
  "E-LNK-004":
    "The server that answered could not prove the WaaS key that this node pins. Nothing was sent to it. Either `waas_public_key` is wrong, WaaS was set up anew, or somebody is in between. Do not change the pin without asking the operator of WaaS over another channel.",
  "E-LNK-005":
    "Normal until the node's id is part of a vault's key share holder group at WaaS. The node asks again by itself.",
  "E-LNK-008":
    "Two processes hold the same identity: a copy of secrets.db runs somewhere. Both must not sign. Stop one now, find out why there is a copy, and see SECURITY.md on cloned nodes.",
  "E-RSK-110":
    "The Go template of a callback server closes the connection without an answer when it dislikes the token (a wrong node key, for instance): a dead server and a wrong key look alike. `cosigner callback-test` tells them apart.",
  "E-OPS-004":
    "Not mandatory: user services and many containers have a small limit. Without it a key share may reach the swap of a machine under memory pressure. The shipped unit sets the limit and keeps the service out of the swap (MemorySwapMax=0); `cosigner doctor` is content where there is no swap at all.",
  "E-OPS-006":
    "Mandatory in production. A preloaded library sees every key share. Some monitoring agents inject themselves this way: keep them out of this service. The values are not shown; read them with `systemctl show -p Environment` or from the container's definition.",
  "E-OPS-105":
    "Anybody who could read the folder may have a copy of the encrypted database, which is only as safe as its password is strong. If that cannot be excluded: cosigner change-password does not help against an old copy; plan a reshare.",
  "E-OPS-113":
    "`secrets.db` and its password together are the key share. A backup without its password is nothing; keep both, apart from each other, and prove a restore on another machine once a quarter.",
}
