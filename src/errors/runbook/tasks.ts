/** Runbook of tasks on a node (E-TSK) and of WaaS (E-WAA). */
import { guide } from "./guide.ts"

const ASKED_AGAIN = "the same request, made again, ends with signatures"
const LATER = "the node takes tasks again: `cosigner status` is ready, and WaaS gets on with the request"

export const taskGuides = {
  "E-TSK-004": guide(
    ["a participant was offline or slow", "a callback server or a person took too long", "a clock is off"],
    "the request at WaaS names who had not approved; E-STA-012 on a node is the clock",
    "bring back who was missing, then ask again with a deadline that leaves time",
    ASKED_AGAIN,
  ),
  "E-TSK-014": guide(
    ["another participant went offline", "its session failed", "the machine is too slow for the session's limit"],
    "the reason names the party; the same task in that node's log says why",
    "nothing at first: WaaS begins another attempt. If it repeats, repair the named node, or sign without it",
    "the task ends with 190",
  ),
  "E-TSK-015": guide(
    ["a defect of the other node", "two processes run from one identity", "the other node was taken over"],
    "`cosigner strikes` has the kind and evidence; `--json` holds what proves an EQUIV",
    "sign without that participant, and have its operator explain it. Nothing of this node's secrets was lost by one such stop",
    "sessions with that participant end with results; after an explanation `cosigner strikes pardon` forgives it",
  ),
  "E-TSK-017": guide(
    ["WaaS or callers ask for too much at once", "sessions hang"],
    "`cosigner status` counts open tasks and sessions; E-STA-013 or E-STA-014 accompany the second",
    "wait: WaaS asks again. Spread the requests, or sign with other nodes",
    LATER,
  ),
  "E-TSK-020": guide(
    ["a defect", "a node of an earlier release whose store failed in the middle of the task"],
    "`task stopped` in the node's log has the error; an E-STO code there is the second",
    "keep the log and report it. On a node of an earlier release repair the store, and upgrade",
    ASKED_AGAIN,
  ),
  "E-TSK-031": guide(
    ["an attempt ended after this node had sent its share of the signature"],
    "the other participants' logs under the task id, and the chain: one of them may have the whole signature",
    "do not ask for the same in another form before you have looked: both could be signed. The limits stay debited on purpose",
    "you know for each message whether a signature exists",
  ),
  "E-TSK-033": guide(
    ["WaaS asks for what rules refuse, again and again", "somebody tries rules out"],
    "`cosigner_tasks_unrecorded_total` by code, and the tasks in `/tasks`, show what was asked",
    "ask the operator of WaaS who asks. Approved tasks go on as always",
    "the counter no longer rises, and refused tasks are recorded again",
  ),
  "E-TSK-034": guide(
    ["another participant sends without end", "WaaS repeats messages"],
    "the same sender in the logs of all participants is the first",
    "sign without that node until its operator explains it; for WaaS see its log",
    "sessions end with results",
  ),
  "E-TSK-035": guide(
    ["many tasks are approved and never finished", "check-ups without end"],
    "`/tasks` shows which type and how they ended",
    "ask the operator of WaaS why. Wait for the daily allowance, or start the node again",
    LATER,
  ),
  "E-TSK-036": guide(
    ["many tasks with large payloads are in progress at once"],
    "`/tasks` shows how many are open",
    "wait: WaaS asks again. Ask for fewer at a time",
    LATER,
  ),
  "E-TSK-039": guide(
    ["the node was upgraded, or [intent] changed, between approval and start"],
    "the log has the reload or restart in between",
    "ask again under a new request: it is judged anew",
    ASKED_AGAIN,
  ),
  "E-TSK-045": guide(
    ["this machine's clock is off", "that of WaaS is off"],
    "see E-STA-012, which is the alarm of the same thing",
    "set the clock; what was approved begins with the next attempt",
    "readiness item `clock` is ok",
  ),
  "E-TSK-048": guide(
    [
      "the node stops",
      "its store cannot write, also in the middle of a task",
      "workers or the main thread do not answer",
    ],
    "`/readyz` of the node names the item",
    "the entry of that item's code E-STA-01n; WaaS asks other nodes meanwhile",
    LATER,
  ),
  "E-TSK-050": guide(
    ["the node crashed in the middle of checks of one member, several times"],
    "the log before each start says how the process ended: out of memory, a kill, a power cut",
    "stop the crashes first. Then refresh the group: `cosigner client group reshare GROUP --kind refresh`, with rules that allow it",
    "`cosigner info group` shows a new epoch, and readiness item `groups` is ok",
  ),
  "E-WAA-004": guide(
    ["a second `cosigner waas start` on the folder", "the old one has not ended yet"],
    "the process list, or `fuser -v waas.db`",
    "stop one of them; a folder is served by one process",
    "it starts and says where it listens",
  ),
  "E-WAA-006": guide(
    ["the disk is full or fails", "owner or mode changed", "the file is damaged"],
    "the problem in the text; `df -h`, `ls -l`, `dmesg`",
    "repair the disk or the rights; for a damaged file restore the folder, or run `cosigner waas adopt`. Nodes keep shares and results meanwhile, and report results again",
    "WaaS starts, and a request ends",
  ),
  "E-WAA-011": guide(
    ["another program has the port", "the address is not this machine's", "a port below 1024 without the right to it"],
    "`ss -ltnp`, `ip addr`",
    "end that program, or change [waas] listen",
    "it starts and says where it listens",
  ),
  "E-WAA-012": guide(
    ["the request is wrong", "the API key is revoked or lacks the role", "WaaS is overloaded"],
    "the number: 2003 and 2006 are the first, 2024 the second, 2026 the third",
    "correct what the message names; the REST reference lists the numbers",
    "the same command ends with 0",
  ),
  "E-WAA-013": guide(
    ["WaaS does not run", "the address is wrong", "the response key is that of another WaaS"],
    "the problem in the text: a refused connection, or a signature that does not verify",
    "start WaaS, correct the address; take the response key from `cosigner waas info` on its machine, not from the network",
    "the same command ends with 0",
  ),
  "E-WAA-015": guide(
    ["the disk returned other bytes than were written", "another program or a person wrote to waas.db"],
    "`dmesg` and the disk's health; who had the file open, and whether it was edited by hand",
    "keep the file. Put a copy from before in its place, or take it away, then run `cosigner waas adopt`: vaults and groups come back from the nodes, with the same keys",
    "WaaS starts, and `cosigner client vault list` shows the vaults",
  ),
  "E-WAA-060": guide(
    [
      "this WaaS runs on a copy, while the newer one runs elsewhere",
      "its database is older than what nodes have followed: it was restored by hand",
    ],
    "find out whether another process serves nodes with this key; the text has both positions",
    "the first: stop this one, for good. The second, once the newer one is known to be lost: stop this one, `cosigner waas adopt`, start it",
    "GET /readyz of WaaS answers 200, and nodes are online",
  ),
  "E-WAA-061": guide(
    [
      "the store is waas.db in the folder of WaaS, and its disk is full",
      "its file system turned read-only",
      "the store is a shared database, and it is away, full or read-only",
    ],
    "the reason in the text names a shared database. For a file: `df -h` and `df -i` of the folder, `mount`, `dmesg`",
    "for a file make room or remount; for a shared database E-WAA-070 and E-WAA-071 say what to do. WaaS goes on by itself, and so do open requests within their deadlines. Nodes keep results until WaaS has stored them",
    "GET /readyz of WaaS answers 200, and the item `waas` of the nodes is ok",
  ),
  "E-WAA-065": guide(
    ["the file was put together from parts of others by somebody who has its password", "a defect of this program"],
    "`cosigner waas backup verify` says it again; another backup of the same folder does not",
    "use another backup, and keep this one for the investigation",
    "`cosigner waas backup verify` ends with 0",
  ),
  "E-WAA-020": guide(
    ["nodes were offline", "a callback server did not answer", "attempts failed until the time was over"],
    "the text names who was missing, and the causes of attempts before",
    "bring those nodes back and look at their readiness, then make a new request",
    "a new request ends with success",
  ),
  "E-WAA-022": guide(
    ["one of the nodes is defective or hostile"],
    "the result that threshold others share is the right one; the odd node's log has its version",
    "the key is not used. Take that node out before you generate again, and keep its log",
    "a new key generation ends with success",
  ),
  "E-WAA-023": guide(
    ["the named nodes are defective or hostile", "WaaS and nodes derive differently, after a mixed upgrade"],
    "versions of all named nodes; other signers give valid signatures in the first case",
    "nothing was released. Sign with other nodes, and look at the named ones",
    ASKED_AGAIN,
  ),
  "E-WAA-024": guide(
    ["one participant fails each time", "the network between nodes and WaaS is too slow", "a ban or strikes"],
    "the last reason, and the same task id in each node's log",
    "repair or leave out the node that fails; see its code",
    ASKED_AGAIN,
  ),
  "E-WAA-025": guide(
    ["that node is of another release", "it is defective or hostile"],
    "its version and log under the task id",
    "the result is not used. Upgrade it, or sign without it",
    ASKED_AGAIN,
  ),
  "E-WAA-026": guide(
    ["the request's other task ended first"],
    "that task's own reason",
    "treat that one; this task would have been useless without it",
    "a new request ends with success",
  ),
  "E-WAA-027": guide(
    ["what the named code says"],
    "the node's log under the task id",
    "the entry of that code",
    "a new request ends with success",
  ),
  "E-WAA-070": guide(
    [
      "the database is stopped, restarts, or fails over",
      "a firewall or a name in between changed",
      "its disk is full (53100), or it has no connection left (53300)",
      "its certificate is not the one of that host, or its authority is not that of ca_path",
    ],
    "the problem in the text; `pg_isready -h HOST -p PORT`, `psql URL` from the same machine",
    "bring the database back. Nothing need be done to WaaS: what was being committed is committed once, requests that were refused meanwhile are to be made again, and nodes repeat what they reported",
    "the log has no more of it, and a request ends",
  ),
  "E-WAA-071": guide(
    ["the user lacks rights, or its password is wrong", "the database is not there, or is not for WaaS alone"],
    "the SQLSTATE in the text: 28 is the password, 42501 a right, 3D000 no such database",
    "correct what it names; give the user a database that it owns",
    "WaaS starts and says which replica it is, and a request ends",
  ),
  "E-WAA-075": guide(
    ["the KMS or HSM does not answer, or refuses", "its credentials have run out", "the key was replaced there"],
    "the problem in the text; the command by hand, as the user of the service: `printf x | COMMAND sign`",
    "repair what it needs. Requests that could not be signed got an error; a start that could not is signed in the next attempt. After a new key the nodes need its public half in [websocket] waas_public_key",
    "the log has no more of it, and a request ends",
  ),
  "E-WAA-074": guide(
    [
      "this machine or process stood still for longer than the lease",
      "it could not reach the database for that long, while another WaaS could",
    ],
    "its log before that line; the load of the machine and the way to the database",
    "nothing at once: the other one carries the requests on, and this process starts again and serves with a new number. Remove what stopped it",
    "one of the processes says that it serves the shared store, and the requests end",
  ),
  "E-WAA-085": guide(
    ["that replica stands still or has lost its database, and its lease is not over", "it has a long backlog"],
    "the overview of the console, or GET /readyz of each replica: which of them live",
    "nothing, as a rule: after its lease another replica takes the request over, and does what was asked. Ask again then",
    "the request has ended, or its approvals show the word",
  ),
  "E-WAA-080": guide(
    ["another program has the port", "something else is in the place of the socket"],
    "`ss -ltnp` names the program; `ls -l` shows what is at the path",
    "end that program, or change waas.console.listen",
    "WaaS starts, and its log says `console open`",
  ),
  "E-WAA-082": guide(
    ["memory pressure", "a defect of this program"],
    "the reason in the text; the kernel log names an out-of-memory kill",
    "nothing at once: the thread starts again, and nothing else depends on it. If it repeats, keep the log and report it",
    "the page answers, and the log says `the console is open again`",
  ),
  "E-WAA-083": guide(
    ["the database does not answer", "a defect of this program"],
    "errors with E-WAA-006 beside it are the first; nothing else in the log is the second",
    "treat the database first. Requests go on as far as it allows; the page alone is not current",
    "the line `As of` at the end of the page moves on",
  ),
  "E-WAA-086": guide(
    ["a request was taken over or handed over while this WaaS still wrote to it", "a defect of this program"],
    "the log of the other WaaS for that task; E-WAA-074 beside it is a process that was not heard",
    "nothing at once: the other one carries the request on. If it repeats for one request, keep both logs and report it",
    "the request ends",
  ),
  "E-WAA-088": guide(
    ["a WaaS of this store hangs in the middle of such work", "the database is slow, or away for moments"],
    "the logs of all WaaS of this store at that time; the locks and the load of the database",
    "restart the one that hangs: what it held is free once it is not heard for 5 s. Callers ask again",
    "the call is answered",
  ),
  "E-WAA-090": guide(
    ["the WaaS that works on the request hangs, or cannot read its database", "somebody repeats one call without end"],
    "which replica works on it, and its log; the callers of that request",
    "restart that WaaS: another one takes its requests over. Stop whoever repeats",
    "the calls are answered, and the request ends",
  ),
} as const
