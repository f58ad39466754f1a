/**
 * This node and its peers as witnesses of each other's logs (audit.md 4). The node asks the members of its groups to cosign its checkpoint,
 * at least each minute while there is something new. It answers their requests after it has written down what it saw. Their answers show
 * whether its own log went back. Owns no transport: messages are bytes.
 */
import { isOfLog, originOf, parseSigned, type SignedCheckpoint } from "../audit/checkpoint.ts"
import { consistencyProof } from "../audit/consistency.ts"
import {
  lineBy,
  MAX_SIGNATURES,
  type NoteKey,
  noteKeyText,
  noteText,
  parseSignatures,
  type SignatureLine,
  signatureText,
} from "../audit/note.ts"
import { decodePeerMessage, encodePeerMessage, type PeerMessage } from "../audit/peerMessage.ts"
import {
  checkpointIn,
  contradicts,
  refusalText,
  requestText,
  sizeIn,
  type Witnessed,
  type WitnessState,
  witnessed,
} from "../audit/witnessing.ts"
import type { Bytes } from "../bytes.ts"
import { CosignerError, codeField, describe, errorText } from "../errors.ts"
import { type PartyId, partyBytes } from "../keys/party.ts"
import type { Log } from "../log.ts"
import type { Identity } from "../mpc/envelope.ts"
import type { Store } from "../store/store.ts"
import { TokenBucket } from "../tokenBucket.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import { asRefused, type RemoteWitness, refusedBy } from "./auditAnchors.ts"
import { type LogSigners, logName, signedNow, witnessName } from "./auditSigner.ts"

/** Time between two checkpoints that peers are asked to cosign. */
const ASK_MS = 20_000
/** Bound on messages of one peer: further ones are ignored. */
const RATE = { burst: 32, perSecond: 1 }

export interface PeerWitnesses {
  /** `sender` is the peer that WaaS states; the signature decides. Never throws. */
  onMessage(sender: PartyId | undefined, message: Bytes): void
  /** WaaS is connected: peers are asked now, even if there is nothing new. */
  onOnline(): void
  /** Called about once a second. */
  tick(): void
  readonly state: () => WitnessState
}

interface PeerWitnessParts {
  readonly store: Pick<Store, "audit" | "witnessing" | "incarnation" | "groups">
  readonly self: Pick<Identity, "party" | "sign">
  readonly signers: LogSigners
  /** Witnesses besides the peers. */
  readonly remotes: readonly RemoteWitness[]
  readonly send: (receiver: PartyId, message: Bytes) => void
  /** ms since 1970. */
  readonly now: () => number
  /** The log is in doubt from now on. */
  readonly onDoubt: () => void
  readonly log: Log
}

interface NewestCosigned {
  readonly size: number
  readonly atMs: number
  readonly by: number
}

/** A checkpoint that is being cosigned. */
interface AskedCheckpoint {
  readonly signed: SignedCheckpoint
  readonly atMs: number
  readonly cosignatures: Map<string, SignatureLine>
  /** Peers that got the checkpoint a second time, with a proof from what they had seen. */
  readonly again: Set<PartyId>
}

export function createPeerWitnesses(parts: PeerWitnessParts): PeerWitnesses {
  return new Peers(parts)
}

class Peers implements PeerWitnesses {
  readonly #parts: PeerWitnessParts
  /** How much of this log each witness has seen, as far as this process knows. */
  readonly #seen = new Map<string, number>()
  readonly #rates = new Map<PartyId, TokenBucket>()
  #asked: AskedCheckpoint | undefined
  readonly #remoteProblems = new Map<string, CosignerError>()
  #newest: NewestCosigned | undefined

  constructor(parts: PeerWitnessParts) {
    this.#parts = parts
    this.#newest = this.#stored()
  }

  onOnline(): void {
    this.#ask()
  }

  tick(): void {
    const { store, now } = this.#parts
    if (store.audit.size === (this.#newest?.size ?? 0)) return
    if (this.#asked === undefined || now() - this.#asked.atMs >= ASK_MS || now() < this.#asked.atMs) this.#ask()
  }

  onMessage(sender: PartyId | undefined, bytes: Bytes): void {
    const { log } = this.#parts
    if (sender === undefined) return
    try {
      if (!this.#peers().includes(sender) || !this.#takes(sender)) return
      const addresses = { sender: partyBytes(sender), receiver: partyBytes(this.#parts.self.party) }
      const message = decodePeerMessage(bytes, addresses)
      if (message === undefined) log.debug("a peer's message about a log was dropped", { peer: nodeIdOf(sender) })
      else if (message.kind === "request") this.#onRequest(sender, message)
      else this.#onAnswer(sender, message)
    } catch (error) {
      const fields = { peer: nodeIdOf(sender), ...codeField(error), why: errorText(error) }
      log.error("a peer's message about a log was not acted upon", fields)
    }
  }

  readonly state = (): WitnessState => {
    const { audit } = this.#parts.store
    const { size = 0, atMs, by = 0 } = this.#newest ?? {}
    const peers = this.#peers().length + this.#parts.remotes.length
    return {
      unseen: audit.size - size,
      cosignedMs: atMs,
      by,
      peers,
      problem: this.#remoteProblems.values().next().value,
    }
  }

  // ---- as a log ------------------------------------------------------------------------------------------------------

  #ask(): void {
    const { store, signers, now } = this.#parts
    if (store.witnessing.doubt !== undefined) return
    this.#asked = { signed: signedNow(store, signers), atMs: now(), cosignatures: new Map(), again: new Set() }
    for (const peer of this.#peers()) this.#tell(peer, this.#asked.signed)
    for (const remote of this.#parts.remotes) this.#askRemote(remote, this.#asked, false)
  }

  #tell(peer: PartyId, signed: SignedCheckpoint): void {
    const { key } = this.#parts.signers.log
    this.#say(peer, { kind: "request", key, status: 0, text: this.#requestTo(peer, signed) })
  }

  #requestTo(witness: string, signed: SignedCheckpoint): string {
    const { size } = signed.checkpoint
    const old = this.#seen.get(witness) ?? 0
    const proof = old <= size ? consistencyProof(old, size, this.#parts.store.audit.subtree) : []
    return requestText({ old, proof, signed })
  }

  /** A remote witness's refusals have no signature of the log, so they are only reported and stop nobody. */
  #askRemote(remote: RemoteWitness, asked: AskedCheckpoint, isAgain: boolean): void {
    const { url, key, ask } = remote
    ask(this.#requestTo(url, asked.signed))
      .then(({ status, text }) => {
        if (status === 200) {
          if (!this.#cosigned(url, key, asked, text)) throw refusedBy(url, "its answer is no cosignature by its key")
          this.#remoteProblems.delete(url)
          return
        }
        const size = sizeIn(text)
        if (status !== 409 || size === undefined || isAgain) throw refusedBy(url, `HTTP ${status}`)
        if (size > asked.signed.checkpoint.size) throw refusedBy(url, `it has seen ${size} leaves, more than there are`)
        this.#seen.set(url, size)
        this.#askRemote(remote, asked, true)
      })
      .catch((error: unknown) => {
        const problem = asRefused(url, error)
        if (!this.#remoteProblems.has(url)) this.#parts.log.warn(problem.message, { code: problem.code })
        this.#remoteProblems.set(url, problem)
      })
  }

  #onAnswer(peer: PartyId, { key, status, text }: PeerMessage): void {
    const asked = this.#asked
    if (asked === undefined || !this.#isWitness(peer, key)) return
    if (status === 200) return void this.#cosigned(peer, key, asked, text)
    const theirs = checkpointIn(text)
    const { signers, store, now } = this.#parts
    const { log } = signers
    const { audit } = store
    const own = {
      origin: originOf(log.key.name, store.incarnation),
      size: audit.size,
      rootAt: (size: number) => audit.rootAt(size),
    }
    if (theirs !== undefined && contradicts(theirs, log.key, own)) {
      const note = noteText(theirs.note)
      const doubt = { note, from: nodeIdOf(peer), atMs: now() }
      if (store.witnessing.doubt !== undefined) return
      try {
        store.witnessing.raise(doubt, { size: audit.size, theirs: theirs.checkpoint.size })
      } finally {
        // This also applies if the doubt could not be recorded, because it is in force.
        this.#parts.onDoubt()
        this.#parts.log.error(describe(new CosignerError("E-AUD-008", { from: doubt.from })), { code: "E-AUD-008" })
      }
      return
    }
    const size = sizeIn(text)
    const isOurs = size === 0 || (theirs !== undefined && theirs.checkpoint.size === size && isOfLog(theirs, log.key))
    if (size === undefined || !isOurs || asked.again.has(peer)) return
    asked.again.add(peer)
    this.#seen.set(peer, size)
    this.#tell(peer, asked.signed)
  }

  #cosigned(witness: string, key: NoteKey, asked: AskedCheckpoint, text: string): boolean {
    const { note, checkpoint } = asked.signed
    const lines = parseSignatures(text) ?? []
    const line = lineBy({ text: note.text, signatures: lines }, key)
    if (line === undefined) return false
    this.#seen.set(witness, checkpoint.size)
    // An answer to an earlier checkpoint, or a second answer, adds nothing.
    if (asked !== this.#asked || asked.cosignatures.has(witness)) return true
    if (note.signatures.length + asked.cosignatures.size === MAX_SIGNATURES) return true
    asked.cosignatures.set(witness, line)
    const signatures = [...note.signatures, ...asked.cosignatures.values()]
    this.#parts.store.witnessing.cosign(noteText({ text: note.text, signatures }))
    // Uses this node's clock: a witness that dates it ahead would hide that nobody cosigns any more.
    this.#newest = { size: checkpoint.size, atMs: this.#parts.now(), by: asked.cosignatures.size }
    return true
  }

  /** The peer's identity must have signed for the key. The first key stays; otherwise one peer could be two witnesses. */
  #isWitness(peer: PartyId, key: NoteKey): boolean {
    if (key.name !== witnessName(nodeIdOf(peer))) return false
    const { witnessing } = this.#parts.store
    const known = witnessing.of(peer).witness
    if (known === "") witnessing.pin(peer, noteKeyText(key))
    return known === "" || known === noteKeyText(key)
  }

  #stored(): NewestCosigned | undefined {
    const { store, signers, now } = this.#parts
    const signed = parseSigned(store.witnessing.cosigned ?? "")
    if (signed === undefined) return undefined
    const { origin, size } = signed.checkpoint
    if (origin !== originOf(signers.log.key.name, store.incarnation)) return undefined
    const times = signed.note.signatures.flatMap(({ name, signature }) =>
      name === signers.log.key.name || signature.length < 8
        ? []
        : Number(Buffer.from(signature).readBigUInt64BE(0)) * 1000,
    )
    return { size, atMs: Math.min(now(), Math.max(0, ...times)), by: times.length }
  }

  // ---- as a witness --------------------------------------------------------------------------------------------------

  #onRequest(peer: PartyId, { key, text }: PeerMessage): void {
    const { store, signers, now } = this.#parts
    const { witnessing } = store
    const memory = witnessing.of(peer)
    const keyText = noteKeyText(key)
    const isKnown = key.name === logName(nodeIdOf(peer)) && (memory.key === "" || memory.key === keyText)
    const last = parseSigned(memory.note)
    const made: Witnessed = isKnown ? witnessed(text, key, last) : { status: 403, known: undefined }
    const answer = { kind: "answer", key: signers.witness.key } as const
    if (made.status !== 200) {
      return this.#say(peer, { ...answer, status: made.status, text: refusalText(made.known) })
    }
    const { checkpoint, note } = made.signed
    if (made.isNew) {
      const line = lineBy(note, key)
      const begins = last !== undefined && last.checkpoint.origin !== checkpoint.origin
      witnessing.saw(peer, keyText, noteText({ text: note.text, signatures: line ? [line] : [] }), begins)
    }
    this.#say(peer, { ...answer, status: 200, text: signatureText(signers.witness.sign(note.text, now())) })
  }

  // ---- both ----------------------------------------------------------------------------------------------------------

  #say(receiver: PartyId, message: PeerMessage): void {
    const { self, send } = this.#parts
    const addresses = { sender: partyBytes(self.party), receiver: partyBytes(receiver) }
    send(
      receiver,
      encodePeerMessage(message, addresses, (bytes) => self.sign(bytes)),
    )
  }

  /** Members of groups that this node has a share of. */
  #peers(): readonly PartyId[] {
    const { groups } = this.#parts.store
    const members = groups.list().flatMap(({ status, members }) => (status === "ACTIVE" ? members : []))
    return [...new Set(members.map(({ party }) => party))].filter((party) => party !== this.#parts.self.party)
  }

  #takes(peer: PartyId): boolean {
    const { now } = this.#parts
    const rate = this.#rates.get(peer) ?? new TokenBucket(RATE, now())
    this.#rates.set(peer, rate)
    return rate.take(now())
  }
}
