/** The key that signs releases, as files: made once, read to sign and to verify. */
import { readFileSync, statSync } from "node:fs"
import { basename } from "node:path"
import { type Rng, systemRng } from "../../crypto/random.ts"
import { CosignerError, errorText } from "../../errors.ts"
import { errnoOf, isTaken, readPrivate, replaceFile, UnusableFile, writeNew } from "../../files.ts"
import type { Secret } from "../../secret.ts"
import {
  fileHash,
  keyIdText,
  MAX_MINISIGN,
  NotMinisign,
  newReleaseKey,
  openSecretKey,
  parsePublicKey,
  publicKeyFile,
  publicKeyLine,
  type ReleasePublicKey,
  secretKeyFile,
  signatureFile,
  verifySignature,
} from "./minisign.ts"
import { type CheckedSum, checkSums, hashOfFile, parseSums } from "./sums.ts"

interface KeyFiles {
  readonly secret_key_file: string
  readonly public_key_file: string
  readonly public_key: string
  readonly key_id: string
}

/** Never overwrites: E-CLI-040 if one of the two files exists. */
export function createReleaseKey(file: string, password: Secret, rng: Rng = systemRng): KeyFiles {
  const publicFile = `${file.replace(/\.key$/, "")}.pub`
  for (const one of [file, publicFile]) if (isTaken(one)) throw unusableKey(one, "it exists already")
  using key = newReleaseKey(rng)
  written(file, () => writeNew(file, secretKeyFile(key, password, rng)))
  written(publicFile, () => writeNew(publicFile, publicKeyFile(key), 0o644))
  return {
    secret_key_file: file,
    public_key_file: publicFile,
    public_key: publicKeyLine(key),
    key_id: keyIdText(key.id),
  }
}

const unusableKey = (file: string, problem: string, cause?: unknown) =>
  new CosignerError("E-CLI-040", { file, problem }, { cause })

interface Signed {
  readonly file: string
  readonly signature_file: string
  readonly key_id: string
  readonly trusted_comment: string
}

/** Signs a file into FILE.minisig beside it, and replaces an existing one. */
export function signRelease(file: string, keyFile: string, password: Secret, comment: string): Signed {
  const hash = hashed(
    file,
    () => new CosignerError("E-CLI-002", { what: "file", expected: "a file that can be read", got: file }),
  )
  using text = privateText(keyFile)
  using key = ofKey(keyFile, () => openSecretKey(Buffer.from(text.expose()).toString("latin1"), password))
  const signature = ofKey(keyFile, () => signatureFile(key, hash, comment))
  const target = `${file}.minisig`
  written(target, () => replaceFile(target, signature, 0o644))
  return { file, signature_file: target, key_id: keyIdText(key.id), trusted_comment: comment }
}

function privateText(file: string): Secret {
  try {
    return readPrivate(file, MAX_MINISIGN)
  } catch (error) {
    throw unusableKey(file, error instanceof UnusableFile ? error.message : whyOf(error), error)
  }
}

function ofKey<T>(file: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof NotMinisign) throw unusableKey(file, error.message, error)
    throw error
  }
}

interface Verified {
  readonly file: string
  readonly key_id: string
  readonly trusted_comment: string
  /** For a list of sums: the files that it names. */
  readonly as_signed: readonly string[]
  readonly absent: readonly string[]
}

/** The public key's own line, or a file that holds it. */
export function releasePublicKey(given: string): ReleasePublicKey {
  const text = () =>
    contentsOf(given, MAX_MINISIGN, (problem, cause) => unusableKey(given, problem, cause)).toString("latin1")
  return ofKey(given, () => parsePublicKey(isTaken(given) ? text() : given))
}

/**
 * Checks that the key signed the file and, if the file is a list of sums, that every file in the folder that the list names matches.
 * Throws E-CLI-041 otherwise, and if none of the named files exists.
 */
export function verifyRelease(file: string, folder: string, key: ReleasePublicKey): Verified {
  const refuse = (problem: string, cause?: unknown) => new CosignerError("E-CLI-041", { file, problem }, { cause })
  const signatureName = `${file}.minisig`
  const signature = contentsOf(signatureName, MAX_MINISIGN, (why) => refuse(`${signatureName} cannot be read: ${why}`))
  const isList = basename(file).startsWith("SHA256SUMS")
  // A list is read once; the same bytes are hashed and used.
  const list = isList ? contentsOf(file, MAX_SUMS, refuse) : undefined
  const hash = list === undefined ? hashed(file, refuse) : fileHash().update(list).digest()
  const trusted = verifiedBy(key, hash, signature.toString("latin1"), refuse)
  const signed = { file, key_id: keyIdText(key.id), trusted_comment: trusted }
  if (list === undefined) return { ...signed, as_signed: [], absent: [] }
  const sums = parseSums(list.toString("latin1"))
  if (sums === undefined) throw refuse("it is no list of sha256sum")
  const checked = checkSums(folder, sums)
  const of = (wanted: CheckedSum["state"]) => checked.filter(({ state }) => state === wanted).map(({ name }) => name)
  const [changed, present] = [of("changed"), of("as signed")]
  if (changed.length > 0) throw refuse(`these files are not the ones that were signed: ${changed.join(", ")}`)
  if (present.length === 0) throw refuse(`none of the files that it names is in ${folder}`)
  return { ...signed, as_signed: present, absent: of("absent") }
}

/** A list of some hundred files. */
const MAX_SUMS = 1024 * 1024

type Refuse = (problem: string, cause?: unknown) => CosignerError

function verifiedBy(key: ReleasePublicKey, hash: Uint8Array, signature: string, refuse: Refuse): string {
  try {
    return verifySignature(key, hash, signature)
  } catch (error) {
    if (error instanceof NotMinisign) throw refuse(error.message, error)
    throw error
  }
}

function hashed(file: string, refuse: Refuse): Uint8Array {
  try {
    return hashOfFile(file)
  } catch (cause) {
    throw refuse(`it cannot be read: ${whyOf(cause)}`, cause)
  }
}

/** A small file, whole. */
function contentsOf(file: string, most: number, refuse: Refuse): Buffer {
  try {
    const { size } = statSync(file)
    if (size > most) throw refuse(`it has ${size} bytes, more than ${most}`)
    return readFileSync(file)
  } catch (cause) {
    throw cause instanceof CosignerError ? cause : refuse(whyOf(cause), cause)
  }
}

const whyOf = (cause: unknown): string => errnoOf(cause) ?? errorText(cause)

function written(path: string, write: () => void): void {
  try {
    write()
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") throw unusableKey(path, "it exists already", cause)
    throw new CosignerError("E-CLI-009", { path, why: whyOf(cause) }, { cause })
  }
}
