/** Reads the certificates of a PEM file. */
import { X509Certificate } from "node:crypto"

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/**
 * The certificates in a PEM text. Each is parsed here, because the runtime would report a bad one only as a failed connection. Everything
 * else in the text is ignored: a byte order mark, for example, would keep the runtime from finding any certificate. Throws the runtime's
 * error for a certificate that cannot be parsed.
 */
export const certificatesIn = (pem: string): readonly X509Certificate[] =>
  (pem.match(CERTIFICATE) ?? []).map((block) => new X509Certificate(block))
