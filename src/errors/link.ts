import { EXIT, entry } from "./entry.ts"

/** Codes E-LNK-nnn: the connection between a node and its WaaS, and what travels on it. */
export const linkCodes = {
  "E-LNK-001": entry<{ readonly url: string; readonly detail: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `the connection to ${d.url} failed: ${d.detail}`,
    next: "check websocket.url, name resolution, the firewall and websocket.proxy; the node goes on trying",
  }),
  "E-LNK-002": entry<{ readonly url: string; readonly detail: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `TLS to ${d.url} failed: ${d.detail}`,
    next: "if WaaS has a private CA, name its certificate in websocket.ca_path; else suspect an interception on the way",
  }),
  "E-LNK-003": entry<{ readonly url: string; readonly limitMs: number }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `${d.url} did not finish the handshake within ${d.limitMs} ms`,
    next: "check that websocket.url leads to a WaaS and not to something that only accepts connections",
  }),
  "E-LNK-004": entry<{ readonly expected: string }>({
    kind: "input",
    exit: EXIT.network,
    what: (d) => `the server did not prove the pinned WaaS key ${d.expected}; nothing was sent to it`,
    next: "compare websocket.waas_public_key with the output of: cosigner waas info",
  }),
  "E-LNK-005": entry<{ readonly nodeId: string }>({
    kind: "input",
    exit: EXIT.network,
    what: (d) => `WaaS refused the connection: no key share holder group names node ${d.nodeId}`,
    next: "make a key share holder group at WaaS whose participants name this node id (cosigner info prints it); the node goes on trying, and is then let in",
  }),
  "E-LNK-006": entry<{ readonly oldest: number; readonly newest: number }>({
    kind: "input",
    exit: EXIT.network,
    what: (d) => `this node speaks versions ${d.oldest} to ${d.newest} of the link protocol, and WaaS none of them`,
    next: "compare `cosigner version` here and at WaaS and upgrade the older one; docs/how-to/upgrade.md has the order",
  }),
  "E-LNK-007": entry({
    kind: "fault",
    exit: EXIT.network,
    what: () => "WaaS did not accept this node's proof of its key",
    next: "the key store or the connection is damaged: run cosigner info, then look for a proxy that alters traffic",
  }),
  "E-LNK-008": entry<{ readonly nodeId: string }>({
    kind: "input",
    exit: EXIT.network,
    what: (d) => `another process connected as node ${d.nodeId} and took this connection's place`,
    next: "two nodes run on copies of one secrets.db: stop one of them now, and find out who made the copy",
  }),
  "E-LNK-009": entry<{ readonly silentMs: number }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `nothing was heard from WaaS for ${d.silentMs} ms`,
    next: "the node reconnects; if it repeats, look for a proxy or firewall that drops idle connections",
  }),
  "E-LNK-010": entry<{ readonly problem: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `the link protocol was violated: ${d.problem}`,
    next: "the connection is made again; if it repeats, check that WaaS and node are of compatible versions",
  }),
  "E-LNK-011": entry<{ readonly closeCode: number }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `the link to WaaS was closed (${d.closeCode})`,
    next: "the node reconnects and resumes where it was",
  }),
  "E-LNK-012": entry<{ readonly key: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.key} cannot be used: ${d.problem}`,
    next: "correct it in the configuration, then: cosigner config check",
  }),
  "E-LNK-013": entry<{ readonly reason: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `WaaS ended the connection: ${d.reason}`,
    next: "the node goes on trying; if it repeats, look at the log of WaaS",
  }),
  "E-LNK-014": entry<{ readonly url: string; readonly detail: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `the proxy on the way to ${d.url} refused: ${d.detail}`,
    next: "check websocket.proxy and its user and password",
  }),
  "E-LNK-015": entry<{ readonly nodeId: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) =>
      `WaaS knows a later state of the database of node ${d.nodeId}: this one is an older copy or a clone, and is not let in`,
    next: "put the newest copy back; if that one is lost for good and no other runs: cosigner recover-rollback",
  }),
  "E-LNK-016": entry<{ readonly nodeId: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `another process is connected as node ${d.nodeId}, and only one copy of a node may work`,
    next: "stop one of the two now; if one of them has just died, this one is let in within a minute",
  }),
  "E-LNK-020": entry<{ readonly what: string; readonly problem: string }>({
    kind: "input",
    exit: EXIT.refused,
    what: (d) => `a ${d.what} cannot be encoded: ${d.problem}`,
    next: "correct the request that it was made from",
  }),
  "E-LNK-021": entry<{ readonly url: string }>({
    kind: "input",
    exit: EXIT.network,
    what: (d) => `what listens at ${d.url} answers without TLS`,
    next: "check host and port of websocket.url: wss:// belongs to the port where TLS is spoken, which is WaaS's own with tls_cert, or that of the proxy before it",
  }),
  "E-LNK-022": entry<{ readonly shown: string; readonly seen: string }>({
    kind: "fault",
    exit: EXIT.refused,
    what: (d) =>
      `this WaaS is an older copy of the one that this node followed: it shows ${d.shown}, and the node has seen ${d.seen}`,
    next: "stop the older copy; where it is the one to go on with (after a restore, say), stop it and run on it: cosigner waas adopt; the node goes on trying",
  }),
  "E-LNK-023": entry({
    kind: "fault",
    exit: EXIT.refused,
    what: () => "this WaaS was shown that a newer copy of it is at work, and serves no node any more",
    next: "its log and GET /readyz say E-WAA-060: stop it, or make it the newest with cosigner waas adopt; the node goes on trying",
  }),
  "E-LNK-024": entry<{ readonly configured: string; readonly trusted: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) =>
      `the configuration names the WaaS key ${d.configured}, which is not trusted any more; the node follows ${d.trusted}, as its operator decided`,
    next: "write that key into [websocket] waas_public_key",
  }),
  "E-LNK-025": entry<{ readonly configured: string; readonly trusted: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) =>
      `the configuration names the WaaS key ${d.configured}, and this node's operator decided to trust ${d.trusted}`,
    next: "write the trusted key into [websocket] waas_public_key; or, if the other one is meant: cosigner trust-waas",
  }),
  "E-LNK-026": entry({
    kind: "input",
    exit: EXIT.ok,
    what: () => "the operator trusts another WaaS from now on",
    next: "nothing: the node dials again with the new key",
  }),
  "E-LNK-027": entry<{ readonly up: number; readonly of: number; readonly away: string }>({
    kind: "fault",
    exit: EXIT.network,
    what: (d) => `${d.up} of ${d.of} replicas of WaaS are linked; not ${d.away}`,
    next: "the node works through the others; look whether that replica runs, and why it is not reached: cosigner doctor",
  }),
  "E-LNK-028": entry<{ readonly url: string; readonly other: string }>({
    kind: "input",
    exit: EXIT.config,
    what: (d) => `${d.url} leads to the same process of WaaS as ${d.other}`,
    next: "name each replica once, by an address of its own and not by that of a load balancer, in [websocket] url and urls; the node works through the other address",
  }),
} as const
