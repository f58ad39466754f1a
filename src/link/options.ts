/**
 * The options of a link, and the checks that need no connection: a link that could never come up stops the start with E-LNK-012
 * instead of retrying for ever.
 */
import { createPrivateKey, type X509Certificate } from "node:crypto"
import type { Bytes } from "../bytes.ts"
import { isStrictKey } from "../crypto/ed25519.ts"
import { certificatesIn } from "../crypto/pem.ts"
import { CosignerError } from "../errors.ts"
import type { Log } from "../log.ts"
import type { Secret } from "../secret.ts"
import type { Clock } from "../tasks/ports.ts"
import type { ChannelLimits } from "../wire/channel.ts"
import type { FencingToken } from "../wire/hello.ts"
import type { Signer } from "../wire/signed.ts"
import type { SignedWaasToken } from "../wire/waasToken.ts"

export interface LinkTiming {
  /** Limit from the dial to the end of the handshake, ms. The runtime's own limit, two minutes, is too long to be useful. */
  readonly handshakeMs: number
  /** Interval of heartbeats, ms. */
  readonly pingMs: number
  /** Interval of pings while a task is in work, ms: WaaS treats a node that owes an answer as hung after 2 s of silence. */
  readonly busyPingMs: number
  /** After so many unanswered heartbeats the connection counts as dead. */
  readonly missedPings: number
  /**
   * The first pause before a new connection, ms. It doubles with each failed connection, up to the cap. A connection that came up
   * resets it, however short it lived.
   */
  readonly backoffMs: number
  readonly backoffCapMs: number
  /** The cap while the link is urgent, ms: work waits for it, or, with several links, no link is up or this one failed a few times. */
  readonly waitedForCapMs: number
}

export const LINK_TIMING: LinkTiming = {
  handshakeMs: 10_000,
  pingMs: 15_000,
  busyPingMs: 500,
  missedPings: 2,
  backoffMs: 250,
  backoffCapMs: 30_000,
  waitedForCapMs: 5_000,
}

export interface LinkOptions {
  /** `wss://host/ws`; `ws:` is for loopback and tests, which config/ decides. */
  readonly url: string
  /** Addresses of further replicas of the same WaaS; each gets a link of its own. */
  readonly others?: readonly string[]
  /** The pinned Ed25519 key of WaaS, 32 bytes. */
  readonly waasKey: Bytes
  /** The node's identity. */
  readonly node: Signer
  /** How far the node's database has come; asked at every connection. Absent for a probe, which is not the running node. */
  readonly fencingToken?: () => FencingToken
  /** Called at least once after each fencingToken(): the proof with it was answered, or never will be. */
  readonly proofAnswered?: () => void
  /** Absent for a probe, which remembers no WaaS. */
  readonly followed?: FollowedMemory
  /** PEM of the authorities to trust instead of the system's (or those of SSL_CERT_FILE). */
  readonly ca: string | undefined
  readonly client: { readonly certificate: string; readonly key: Secret } | undefined
  /** `http://user:password@host:port`; connections go through it by CONNECT. */
  readonly proxy: string | undefined
  /** Whether the node has work that waits for the link, besides the frames in its queue. */
  readonly isWaitedFor?: () => boolean
  /** Set if this is one of several links. */
  readonly siblings?: LinkSiblings
  readonly limits: ChannelLimits
  readonly timing: LinkTiming
  readonly clock: Clock
  /** A uniform random number in [0, 1): it spreads the reconnections of many nodes. */
  readonly jitter: () => number
  readonly log: Log
}

/** What one of several links needs to know of the others. */
interface LinkSiblings {
  /** Whether the link should dial with short pauses after so many failures. A single link does so while work waits for it. */
  isUrgent(failures: number): boolean
  /** The address of another link that keeps the connection to the same process of WaaS; asked when this link comes up. */
  sameAs(): string | undefined
  /** False while another link to the same process is up. */
  mayDial(): boolean
}

/** The node's memory of its WaaS (store/waasTrust.ts). */
export interface FollowedMemory {
  /** The newest token that this node has followed. */
  latest(): SignedWaasToken | undefined
  /** Stores the token, durably when it returns. */
  follow(token: SignedWaasToken): void
}

/** Where a link leads and how both ends prove themselves, as the configuration says. */
export type LinkTarget = Pick<LinkOptions, "url" | "others" | "waasKey" | "proxy" | "ca" | "client">

/** The addresses without duplicates, `url` first. */
export function addressesOf({ url, others = [] }: Pick<LinkTarget, "url" | "others">): readonly [string, ...string[]] {
  return [url, ...new Set(others.filter((other) => other !== url))]
}

/** Throws E-LNK-012 for a target that cannot work. */
export function checkTarget(options: LinkTarget): void {
  checkUrl("websocket.url", options.url, ["ws:", "wss:"], false)
  for (const other of options.others ?? []) checkUrl("websocket.urls", other, ["ws:", "wss:"], false)
  if (options.proxy !== undefined) checkUrl("websocket.proxy", options.proxy, ["http:", "https:"], true)
  if (options.waasKey.length !== 32) refuse("websocket.waas_public_key", "an Ed25519 public key has 32 bytes")
  if (!isStrictKey(options.waasKey)) refuse("websocket.waas_public_key", "not the public key of any Ed25519 key pair")
  if (options.ca !== undefined) certificates("websocket.ca_path", options.ca)
  if (options.client !== undefined) {
    const [own] = certificates("websocket.client_cert_path", options.client.certificate)
    if (!isKeyOf(own, options.client.key)) refuse("websocket.client_key_path", "not the private key of the certificate")
  }
}

/** A Buffer over the secret's own memory, not a copy, so that wiping the secret wipes the Buffer. */
export function asBuffer(secret: Secret): Buffer {
  const bytes = secret.expose()
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** The URL as logs may show it: without user, password, query and fragment. */
export function shownUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return `${protocol}//${host}${pathname}`
}

function checkUrl(key: string, text: string, protocols: readonly string[], mayHaveUser: boolean): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) refuse(key, "not a URL")
  if (!protocols.includes(url.protocol)) refuse(key, `not one of ${protocols.join(" ")}`)
  if (!mayHaveUser && (url.username !== "" || url.password !== "")) refuse(key, "a user name has no place in it")
  if (url.hash !== "") refuse(key, "a fragment has no place in it")
}

/** Only the certificates of a PEM file, again as PEM. Throws E-LNK-012 if there is none, or one cannot be read. */
export const certificatesOf = (key: string, pem: string): string =>
  certificates(key, pem)
    .map((certificate) => certificate.toString())
    .join("")

function certificates(key: string, pem: string): readonly [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...others] = certificatesIn(pem)
    if (first !== undefined) return [first, ...others]
  } catch {
    refuse(key, "one of its certificates cannot be read")
  }
  return refuse(key, "no PEM certificate in it")
}

function isKeyOf(certificate: X509Certificate, key: Secret): boolean {
  try {
    return certificate.checkPrivateKey(createPrivateKey(asBuffer(key)))
  } catch {
    return false
  }
}

function refuse(key: string, problem: string): never {
  throw new CosignerError("E-LNK-012", { key, problem })
}
