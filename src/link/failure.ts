/**
 * Why a connection ended, as one of the E-LNK codes, and the log line for it. Scripts of operators search for some of these lines
 * (formats.md 4.2), so their wording must not change, and no other line may contain "connected." (formats.md 4.3).
 */
import { toHex } from "../bytes.ts"
import { CosignerError, isCode } from "../errors.ts"
import { partyOf } from "../keys/party.ts"
import { nodeIdOf } from "../wire/nodeId.ts"
import type { RefusalReason } from "../wire/packets.ts"
import { LINK } from "../wire/versions.ts"
import { type LinkOptions, shownUrl } from "./options.ts"

/** Verification codes of OpenSSL for a certificate that no trusted authority has signed. */
const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
])

/** BoringSSL's error names for an answer that is not a TLS record: plain HTTP, or another protocol. */
const NO_TLS = /\b(?:WRONG_VERSION_NUMBER|HTTP_REQUEST|HTTPS_PROXY_REQUEST)\b/

/** What the runtime reports when a WebSocket cannot be opened. Behind a status code, `message` is text of the server or the proxy. */
export interface DialFailure {
  readonly message: string
  readonly code: string
}

/** E-LNK-001, -002, -014 or -021. Nothing that the other side wrote is shown, and no credential of the URL. */
export function dialError(options: LinkOptions, failure: DialFailure): CosignerError {
  const url = shownUrl(options.url)
  const said = withoutAnswer(failure.message.split(" failed: ").slice(1).join(" failed: ") || failure.message)
  if (UNKNOWN_AUTHORITY.has(failure.code)) {
    const detail = "failed to verify certificate: x509: certificate signed by unknown authority"
    return new CosignerError("E-LNK-002", { url, detail })
  }
  if (NO_TLS.test(said)) return new CosignerError("E-LNK-021", { url })
  const detail = printable(failure.code === "" ? said : `${said} (${failure.code})`)
  // The other side hung up before it showed a certificate, so this says nothing about TLS settings.
  const isCutOff = failure.code === "ECONNRESET"
  if (!isCutOff && /^TLS handshake failed|certificate/i.test(said))
    return new CosignerError("E-LNK-002", { url, detail })
  if (/^Proxy/.test(said)) return new CosignerError("E-LNK-014", { url, detail })
  return new CosignerError("E-LNK-001", { url, detail })
}

export function refusalError(options: LinkOptions, reason: RefusalReason): CosignerError {
  switch (reason) {
    case "version":
      return new CosignerError("E-LNK-006", LINK)
    case "proof":
      return new CosignerError("E-LNK-007", {})
    case "unknownNode":
      return new CosignerError("E-LNK-005", { nodeId: ownId(options) })
    case "replaced":
      return new CosignerError("E-LNK-008", { nodeId: ownId(options) })
    case "rolledBack":
      return new CosignerError("E-LNK-015", { nodeId: ownId(options) })
    case "twin":
      return new CosignerError("E-LNK-016", { nodeId: ownId(options) })
    case "fenced":
      return new CosignerError("E-LNK-023", {})
    case "protocol":
      return new CosignerError("E-LNK-010", { problem: "WaaS says so" })
    case "busy":
      return new CosignerError("E-LNK-013", {
        reason: "it takes no node just now, for want of room or because its database does not answer",
      })
    case "tooFast":
      return new CosignerError("E-LNK-013", { reason: "this node sent faster than its limit" })
    case "stopping":
      return new CosignerError("E-LNK-013", { reason: "it is stopping" })
    case "silent":
      return new CosignerError("E-LNK-013", { reason: "it heard nothing from this node" })
  }
}

export const wrongServer = (options: LinkOptions): CosignerError =>
  new CosignerError("E-LNK-004", { expected: toHex(options.waasKey) })

/** The log line for an ended connection, as people and scripts look for it. */
export function failureLine(error: CosignerError): string {
  if (isCode(error, "E-LNK-002")) return `Connection failed: tls: ${error.data.detail}`
  if (isCode(error, "E-LNK-005")) {
    return `Connection refused, reason: node identity check failed: node ${error.data.nodeId} is not bound to any app`
  }
  return `Connection failed: ${error.message}`
}

function ownId(options: LinkOptions): string {
  const party = partyOf(options.node.publicKey)
  return party === undefined ? "" : nodeIdOf(party)
}

/** Cuts the text behind the status code: a proxy may echo the request, and with it the user and password. */
const withoutAnswer = (said: string): string => said.replace(/(\b\d{3})\s[\s\S]*$/, "$1")

/** Makes foreign text safe for a log line: short, printable, and never mistakable for the line that says the link is up. */
function printable(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, "?")
    .replaceAll("connected.", "connected")
    .slice(0, 200)
}
