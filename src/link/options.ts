/**
 * What a link is made of, and the checks that can be made before the first connection: a link that could never come up
 * stops the start with E-LNK-012 instead of retrying for ever.
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
  /** From the dial to the end of the handshake, ms. The runtime's own limit is two minutes, too long to be of use. */
  readonly handshakeMs: number
  /** Between heartbeats, ms. */
  readonly pingMs: number
  /** Between signs of life while a task is in work, ms: WaaS takes a node that owes a word for hung after 2 s of silence. */
  readonly busyPingMs: number
  /** So many heartbeats without a word from WaaS, and the connection is taken for dead. */
  readonly missedPings: number
  /**
   * The first pause before a new connection, ms; it doubles with each connection that did not come up, up to the cap. One that
   * came up and was cut says nothing against the next: it begins with the first pause again, however short it lived.
   */
  readonly backoffMs: number
  readonly backoffCapMs: number
  /** The cap while something waits for the link, ms. */
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
  /** Where further replicas of the same WaaS are: each has a link of its own. */
  readonly others?: readonly string[]
  /** The pinned Ed25519 key of WaaS, 32 bytes. */
  readonly waasKey: Bytes
  /** The node's identity. */
  readonly node: Signer
  /** How far the database has come, asked at every connection; absent for a probe that is not the node at work. */
  readonly fencingToken?: () => FencingToken
  /** That proof was answered, or never will be; once or more after each. */
  readonly proofAnswered?: () => void
  /** Absent for a probe that is not the node at work: it follows nobody. */
  readonly followed?: FollowedMemory
  /** PEM of the authorities to trust instead of the system's (which SSL_CERT_FILE names otherwise). */
  readonly ca: string | undefined
  readonly client: { readonly certificate: string; readonly key: Secret } | undefined
  /** `http://user:password@host:port`; connections go through its CONNECT. */
  readonly proxy: string | undefined
  /** Whether work of the node waits for the link, besides the frames in its queue. */
  readonly isWaitedFor?: () => boolean
  /** Of one of several links. */
  readonly siblings?: LinkSiblings
  readonly limits: ChannelLimits
  readonly timing: LinkTiming
  readonly clock: Clock
  /** Uniform in [0, 1): spreads the reconnections of many nodes. */
  readonly jitter: () => number
  readonly log: Log
}

/** What a link asks of those beside it. */
interface LinkSiblings {
  /** Whether it is to be dialled in haste. Alone, it is while something waits for it. */
  isUrgent(failures: number): boolean
  /** The address that leads to the same process of WaaS, and has it; asked when this link has come up. */
  sameAs(): string | undefined
  /** Not while the link that has the same process is up. */
  mayDial(): boolean
}

/** What the node remembers of its WaaS (store/waasTrust.ts). */
export interface FollowedMemory {
  /** The newest token that was followed. */
  latest(): SignedWaasToken | undefined
  /** On the disk when it returns. */
  follow(token: SignedWaasToken): void
}

/** Where a link leads and what proves both ends, as a configuration has it. */
export type LinkTarget = Pick<LinkOptions, "url" | "others" | "waasKey" | "proxy" | "ca" | "client">

/** Each address once, the configuration's first one first. */
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

/** The secret's own memory, for interfaces that want a Buffer. */
export function asBuffer(secret: Secret): Buffer {
  const bytes = secret.expose()
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

/** The URL as logs may show it: without user, password and query. */
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

/** The certificates of a PEM file, and nothing else of it. Throws E-LNK-012. */
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
