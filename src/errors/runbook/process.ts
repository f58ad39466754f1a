/** Runbook of the process and its machine (E-OPS), the command line (E-CLI) and the admin socket (E-ADM). */
import { guide } from "./guide.ts"

const HARDENED = "the node's start has no such warning, and `cosigner doctor` finds it hardened"
const SECCOMP = (call: string) =>
  guide(
    [`a seccomp profile or sandbox denies ${call}`],
    "`grep Seccomp /proc/self/status` in the same unit or container; without the profile it works",
    "allow the call in the profile; the default ones of Docker and Podman do. danger_allow_unhardened_process is for machines that hold nothing of value",
    HARDENED,
  )
const AGAIN = "the same command ends with 0"

export const processGuides = {
  "E-OPS-001": SECCOMP("setrlimit"),
  "E-OPS-002": SECCOMP("prctl"),
  "E-OPS-003": SECCOMP("prctl"),
  "E-OPS-004": guide(
    ["LimitMEMLOCK of the unit or user is small", "a container without its ulimit"],
    "`grep 'locked memory' /proc/PID/limits`",
    "set LimitMEMLOCK=infinity or --ulimit memlock=-1; or switch the swap off or encrypt it",
    HARDENED,
  ),
  "E-OPS-005": guide(
    ["the kernel is older than 6.3", "the machine is not x86-64"],
    "`uname -rm`",
    "nothing urgent: the other measures stand. Upgrade the kernel when you can",
    HARDENED,
  ),
  "E-OPS-007": guide(
    ["the system is not Linux with glibc"],
    "the reason in the text",
    "run production on Linux with glibc; elsewhere switch off core dumps and encrypt the swap",
    HARDENED,
  ),
  "E-OPS-008": guide(
    ["a sandbox hides the socket", "a wrapper script is in between"],
    "`systemctl show -p NotifyAccess,Type cosigner`; a unit of Type=simple needs no word",
    "let the sandbox show the socket, or set NotifyAccess=all for a wrapper. Without the word systemd ends the service",
    "`systemctl status cosigner` says active and not activating",
  ),
  "E-OPS-012": guide(
    ["kernel.yama.ptrace_scope is 0"],
    "`sysctl kernel.yama.ptrace_scope`",
    "set it to 1 or more in /etc/sysctl.d, or give the node a user that runs nothing else",
    "`cosigner doctor` does not name it any more",
  ),
  "E-OPS-102": guide(
    ["somebody set BUN_BE_BUN for the service"],
    "`systemctl show -p Environment cosigner`, or the container's definition",
    "find out who set it: with it a binary of this kind runs any code. The released Linux binary ignores it; remove it anyway",
    "`cosigner doctor` does not name it any more",
  ),
  "E-OPS-107": guide(
    ["logs or backups grow", "another program fills the disk"],
    "`du -xh --max-depth=1` of the folder and of the disk",
    "remove rotated logs and backups that are also elsewhere; give the node a disk of its own",
    "`cosigner doctor` finds enough space",
  ),
  "E-OPS-108": guide(
    ["this machine's clock is off", "the other side's is"],
    "the text names both; a third clock decides",
    "set the wrong one and find out why it was not kept",
    "`cosigner doctor` finds the clocks together",
  ),
  "E-OPS-109": guide(
    ["a typing error in the address", "the resolver of this machine or container fails"],
    "`getent hosts NAME`; other names fail too in the second case",
    "correct websocket.url or the resolver",
    "`cosigner doctor` finds the name",
  ),
  "E-OPS-114": guide(
    ["the schedule is off or fails", "backups go to another folder"],
    "E-BAK in the log at the scheduled time; `systemctl list-timers cosigner-backup.timer`; [backup] directory",
    "`cosigner backup create` now, then repair what the log says",
    "`cosigner doctor` finds a recent one",
  ),
  "E-OPS-115": guide(
    ["the node was started by an older version", "it was started with danger_allow_unhardened_process"],
    "the first lines of its log",
    "restart it with this version and read the warnings at its start",
    HARDENED,
  ),
  "E-OPS-118": guide(
    ["a chroot or container without /dev/urandom"],
    "`ls -l /dev/urandom` in the same unit or container",
    "give it a /dev with urandom; no session runs without",
    "a task is signed",
  ),
  "E-CLI-001": guide(
    ["a defect of this program"],
    "the invariant in the text",
    "the operation was stopped. Keep the log, with -v if you can repeat it, and report it",
    "a release that names it in its changelog is installed",
  ),
  "E-CLI-003": guide(
    ["another build than the release", "the binary was unpacked and put together again"],
    "`sha256sum` against SHA256SUMS of the release",
    "run the released binary. If somebody exchanged it, treat the machine as taken over: replace the node and refresh the groups",
    "`cosigner version` of the right binary starts without it",
  ),
  "E-CLI-009": guide(
    ["rights, or no space"],
    "`ls -ld` of the folder, `df -h`",
    "give the right, or make room; then repeat",
    AGAIN,
  ),
  "E-CLI-013": guide(
    ["stdout leads to a full disk or to a program that ended"],
    "look at the program that reads the pipe, or at the file of the redirection",
    "repeat the command; whether it had done its work is in its log",
    AGAIN,
  ),
  "E-CLI-020": guide(
    ["the machine lacks memory or ports", "a defect"],
    "the logs in the folder of `cosigner demo --keep`",
    "run it again on an idle machine; else report it with that folder",
    AGAIN,
  ),
  "E-CLI-021": guide(
    ["the machine is slow or busy"],
    "the logs in the folder of `cosigner demo --keep` show progress up to the limit",
    "run it again on an idle machine",
    AGAIN,
  ),
  "E-CLI-022": guide(
    ["a defect, and a grave one"],
    "it repeats with the same seed of the build",
    "do not use this build. Keep the demo's folder and report it",
    "another build passes",
  ),
  "E-CLI-030": guide(
    ["nodes are offline", "people or callback servers take their time"],
    "`cosigner client nodes`; the request's own reason",
    "ask again with `cosigner client request show ID --wait`: it goes on without the command",
    "the request has ended",
  ),
  "E-CLI-032": guide(
    ["WaaS was taken over, or answers for another one", "a defect of WaaS"],
    "compare its roots and keys with `cosigner info group` on a node and with `cosigner waas info` on its machine",
    "use nothing of that answer. Find out who runs this WaaS before you ask it again",
    "roots, derived keys and signatures agree with those of the nodes",
  ),
  "E-CLI-034": guide(
    ["the endpoint is down or wants a key", "it is one of another chain", "it refused the transaction"],
    "the problem in the text; ask the endpoint for eth_chainId yourself",
    "give --rpc-url of an endpoint that works, or nonce, gas and fees yourself. If a transaction was signed before, look at the chain before you ask for another with the same nonce",
    "the command ends with 0",
  ),
  "E-CLI-046": guide(
    ["the agent has not the key", "its owner refused, or did not touch the security key", "the agent ended"],
    "`ssh-add -l`, and the reason in the text",
    "`ssh-add FILE`, or sign with --with ssh-keygen, or with --statement-only elsewhere",
    AGAIN,
  ),
  "E-CLI-047": guide(
    [
      "OpenSSH is missing or older than 8.2",
      "the security key was not touched, or another one is plugged in",
      "the passphrase was wrong",
    ],
    "what ssh-keygen itself wrote above the error",
    "install OpenSSH; or take --statement-only to a machine that has it, and give the signature back with --signature",
    AGAIN,
  ),
  "E-ADM-001": guide(
    ["the folder of the socket is not the node's", "another program holds the path"],
    "`ls -l` of the path and its folder",
    "repair the folder and restart at a quiet moment; until then commands that change the database need the node stopped",
    "a command beside the running node ends with 0",
  ),
  "E-ADM-002": guide(
    ["the node ended or hung in the middle of the command"],
    "the node's log names every admin command with its outcome",
    "read it before you repeat the command: it may have been done",
    "the log has the outcome",
  ),
  "E-ADM-005": guide(["a script runs many commands at once"], "the process list", "run them one after another", AGAIN),
  "E-ADM-007": guide(
    ["memory pressure", "a defect"],
    "the reason in the text; the kernel log names an out-of-memory kill",
    "nothing at once: the thread starts again and signing went on. If it repeats, keep the log and report it",
    "a command beside the running node ends with 0",
  ),
  "E-ADM-008": guide(["what the node's own words say"], "the code in them", "the entry of that code", AGAIN),
} as const
