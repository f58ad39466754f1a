/** Certificates as files have them. */
import { X509Certificate } from "node:crypto"

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * The certificates of a PEM text, each read, because the runtime reports a bad one as a failed connection only; and nothing else of the
 * text: a byte order mark before the first one would make the runtime find none. Throws what the runtime says of one that it cannot read.
 */
export const certificatesIn = (pem: string): readonly X509Certificate[] =>
  (pem.match(CERTIFICATE) ?? []).map((block) => new X509Certificate(block))
