/** What an operator wants to know beyond the next step, by code. Short: what it means, what it does not, whom to wake. */
import type { Code } from "../../src/errors.ts"

export const NOTES: Readonly<Partial<Record<Code, string>>> = {
  "E-CLI-003":
    "Nothing of ours was run. Either the binary is not the one that was built, or it was unpacked and put together again. Compare `sha256sum cosigner` with SHA256SUMS of the release before anything else.",
  "E-CLI-004":
    "A service has no terminal. Under systemd the password comes as the credential `cosigner-password`; in a container as a mounted file named by `--key-file`. A password in a variable or an argument is not supported: both can be read by others.",
  "E-CLI-007":
    "The name is resolved once, and the open file and its folder are judged: links of a mounted volume are fine. Kubernetes secrets have mode 644 by default: set `defaultMode: 0400`, and only if that is impossible `danger_allow_readable_key_file`.",
  "E-INT-001":
    "A defect of this program, not of the payload's sender: payloads that cannot be read have codes of their own. The task was refused. Keep the payload (`cosigner intent decode` must fail on it too) and report it; other payloads are not affected.",
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
  "E-STO-008":
    "Bits of the file have changed. Keep the damaged file (copy it away), check the disk (`dmesg`, SMART), and restore the newest backup with `cosigner backup restore`. The other nodes still sign if the threshold allows.",
  "E-STO-009":
    "Records do not move by accident. Treat it as tampering: stop the node, keep the file, find out who could write to the folder, and restore a backup to another machine.",
  "E-STO-010": "Records do not vanish by accident. Treat it as tampering, as for E-STO-009.",
  "E-STO-011":
    "Part of the file is from an older copy: a partial restore, or somebody who wants old counters back. Restore a whole backup, never single files.",
  "E-STO-013":
    "Nothing was signed and nothing is lost. Make room; the node goes on by itself. Logs (`[log.file]`) and old backups are the usual cause.",
  "E-STO-017":
    "Somebody replaced, moved or cut the file under a running node. The node stopped on purpose. Find out who (a backup job that moves instead of copying?), put the file back, and start again.",
  "E-BAK-015":
    "This database is older than what this machine has already run. Signing from it could repeat or skip what the newer one had recorded. Find the newer database; only if it is really gone, follow the restore procedure, which says so aloud.",
  "E-LNK-001":
    "The node dials out and goes on trying, at most half a minute apart. Nothing has to be restarted. `cosigner doctor` walks the way step by step: name, port, proxy, TLS, key.",
  "E-LNK-002":
    "A private authority belongs into `websocket.ca_path` (which replaces the system's) or `SSL_CERT_FILE`. If it worked yesterday, look for an expired certificate, and for a proxy that opens TLS: it has no place between a node and its WaaS.",
  "E-LNK-004":
    "Whoever answered could not prove the WaaS key that this node pins. Nothing was sent to it. Either `waas_public_key` is wrong, WaaS was set up anew, or somebody stands in between. Do not change the pin without asking the operator of WaaS over another channel.",
  "E-LNK-005":
    "Normal until the node's id is part of a vault's key share holder group at WaaS. The node asks again by itself.",
  "E-LNK-008":
    "Two processes hold the same identity: a copy of secrets.db runs somewhere. Both must not sign. Stop one now, find out why there is a copy, and see SECURITY.md on cloned nodes.",
  "E-RSK-102":
    "Doubt is denial: the task was refused and WaaS was told. After the server is repaired, the caller asks again; a refused task does not come back to life.",
  "E-RSK-110":
    "The Go template of a callback server closes the connection without an answer when it dislikes the token (a wrong node key, for instance): a dead server and a wrong key look alike. `cosigner callback-test` tells them apart.",
  "E-RSK-116":
    "The answer was signed, but not by `pubkey_path`. If the server's key was changed, exchange the file and restart the node; else somebody answers in the server's place.",
  "E-RSK-118":
    "Clocks. The measured difference is in the text; `cosigner doctor` measures it against WaaS and the servers.",
  "E-OPS-002":
    "Mandatory in production. No ordinary container denies it: a custom seccomp profile does. The default profiles of Docker and Podman allow it.",
  "E-OPS-004":
    "Not mandatory: user services and many containers have a small limit. Without it a key share may reach the swap of a machine under memory pressure. The shipped unit sets the limit and keeps the service out of the swap (MemorySwapMax=0); `cosigner doctor` is content where there is no swap at all.",
  "E-OPS-005": "Not mandatory. Linux 6.3 and newer on x86-64.",
  "E-OPS-006":
    "Mandatory in production. A preloaded library sees every key share. Some monitoring agents inject themselves this way: keep them out of this service. The values are not shown; read them with `systemctl show -p Environment` or from the container's definition.",
  "E-OPS-008":
    "Under `Type=notify` systemd ends a service that never says READY. If a sandbox hides the socket, it is the sandbox that must change; a wrapper script in between needs `NotifyAccess=all`.",
  "E-OPS-105":
    "Whoever could read the folder may have a copy of the encrypted database, which is worth as much as its password is strong. If that cannot be excluded: cosigner change-password does not help against an old copy; plan a reshare.",
  "E-OPS-108":
    "Tokens to callback servers live for minutes; beyond that difference every answer is refused. Fix the clock, not the limits.",
  "E-OPS-113":
    "`secrets.db` and its password together are the key share. A backup without its password is nothing; keep both, apart from each other, and prove a restore on another machine once a quarter.",
  "E-STA-010":
    "The node refuses tasks while it cannot record them, and signs nothing it could not journal. Space, rights and the disk, in this order; it recovers by itself.",
  "E-STA-011":
    "Look at the code in the text: it is the link's own. The node dials again by itself; `cosigner doctor` walks the way to WaaS.",
  "E-STA-012":
    "Deadlines and tokens are judged by this clock. Set the clock (`timedatectl`, `chronyc tracking`); nothing has to be restarted.",
  "E-STA-013":
    "Sessions run in workers; a dead one is replaced, and its sessions are repeated under a new attempt. If it comes again and again, keep the log and report it; memory limits that are too tight look like this too.",
  "E-STA-014":
    "A session outlived its own deadline, which should not be possible. Restart the node at a quiet moment: open tasks go on afterwards. Keep the log and report it.",
  "E-STA-015":
    "Something keeps the event loop busy: a machine that swaps or is short of processors, a disk that hangs. Under systemd the watchdog ends and restarts the node if it lasts.",
  "E-STA-016":
    "Nothing has failed, but nothing has proven that the shares still sign. Ask for a check-up at WaaS (key share verification), or set [checkup] interval.",
}
