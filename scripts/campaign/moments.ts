/** The moments of a process at which campaigns strike, each known by the line that the process then writes at level trace. */

export interface Moment {
  readonly name: string
  /** None: at once. */
  readonly line?: RegExp
  /** A draw of up to so many ms comes between the line and the fault. */
  readonly mostMs: number
}

/** From the start of the process until it is ready. */
export interface Moments {
  readonly starting: readonly Moment[]
  readonly working: readonly Moment[]
}

/** How long a moment is waited for. A process that has no such work is struck then, at no moment in particular. */
export const MOMENT_MS = 1_500

/** The name of such a time. */
export const NO_MOMENT = "at no moment in particular"

const ANY: Moment = { name: "any", mostMs: 800 }

const NODE: Moments = {
  starting: [
    { name: "start: the program loads", mostMs: 60 },
    { name: "start: it opens, recovers and unlocks its database", line: /Environment: /, mostMs: 30 },
    { name: "start: its database is open", line: /TSS Node ID/, mostMs: 15 },
    { name: "start: it dials WaaS", line: /WebSocket connecting/, mostMs: 10 },
    { name: "start: it is registered", line: /registration accepted/, mostMs: 20 },
  ],
  working: [
    ANY,
    { name: "a task arrives", line: /frame in" kind=task/, mostMs: 5 },
    { name: "a task is claimed", line: /step=claimed/, mostMs: 3 },
    { name: "a task is decided", line: /step=decided/, mostMs: 3 },
    { name: "a session begins", line: /step=begun/, mostMs: 10 },
    { name: "in a session of ECDSA", line: /frame in" kind=envelope.* protocol=ecdsa/, mostMs: 10 },
    { name: "in a session of FROST", line: /frame in" kind=envelope.* protocol=frost/, mostMs: 3 },
    { name: "in a key generation", line: /frame in" kind=envelope.* protocol=dkg/, mostMs: 60 },
    { name: "in a reshare", line: /frame in" kind=envelope.* protocol=reshare/, mostMs: 60 },
    { name: "a set-up is acknowledged", line: /stage="?acknowledge/, mostMs: 5 },
    { name: "a commit of a group", line: /store commit" records="[^"]*group/, mostMs: 3 },
    { name: "a commit", line: /store commit/, mostMs: 3 },
    { name: "its share leaves", line: /step=emitted/, mostMs: 3 },
    { name: "a task is finished", line: /step=finished/, mostMs: 3 },
    { name: "WaaS has its outcome", line: /step=delivered/, mostMs: 3 },
  ],
}

const WAAS: Moments = {
  starting: [
    { name: "start: the program loads, its database is opened", mostMs: 90 },
    { name: "start: it listens", line: /WaaS listening on/, mostMs: 20 },
    { name: "start: the first node is back", line: /Node online/, mostMs: 20 },
  ],
  working: [
    ANY,
    { name: "a request is taken", line: /task created/, mostMs: 3 },
    { name: "nodes approve", line: /state=approving/, mostMs: 5 },
    { name: "a start is sent", line: /state=running/, mostMs: 5 },
    { name: "an envelope passes", line: /frame in.*kind=envelope/, mostMs: 5 },
    { name: "a report arrives", line: /frame in.*kind=report/, mostMs: 3 },
    { name: "a signature is made", line: /status=Completed/, mostMs: 3 },
    { name: "a key is generated", line: /status=KeyGenerating/, mostMs: 500 },
    { name: "a certificate is made", line: /status=Success/, mostMs: 3 },
  ],
}

export const momentsOf = (process: string): Moments => (process === "waas" ? WAAS : NODE)
