/**
 * A backup as a file. It is written under a temporary name and gets its name only when it is whole and on the disk. It is read chunk by
 * chunk. It needs memory for one chunk and one record, whatever its size.
 */

import { closeSync, existsSync, fstatSync, openSync, readSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { type Bytes, equal } from "../bytes.ts"
import { DEFAULT_KDF, type Kdf } from "../crypto/passwordKey.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf, makeFolder, NewFile, nameNew } from "../files.ts"
import type { Secret } from "../secret.ts"
import { asWriteFault, reading, writing } from "./faults.ts"
import {
  type BackupRecord,
  END,
  FORMAT,
  HEADER_LENGTH,
  type HeaderProblem,
  MAGIC,
  MANIFEST,
  MAX_BODY,
  newHeader,
  openHeader,
  RECORD_HEAD,
  recordHead,
  SEALED_KINDS,
  type SealedKind,
} from "./format.ts"
import { type Manifest, manifestParts, readManifest } from "./manifest.ts"
import { openChunk, SEALED_CHUNK, SealingStream } from "./stream.ts"

/** Temporary names begin with a dot and end like this; files that a crash left behind are recognised by it. */
export const PARTIAL = ".partial"
const partialOf = (path: string): string => join(dirname(path), `.${basename(path)}${PARTIAL}`)

/** A file that is being written. Dispose it: an unfinished file is removed. */
export class BackupWriter implements Disposable {
  readonly #path: string
  readonly #key: Secret
  readonly #stream: SealingStream
  readonly #file: NewFile
  #bytes = 0

  /** Throws E-BAK-001 if the file exists. Makes its folder, mode 700. */
  constructor(path: string, password: Secret, kdf: Kdf = DEFAULT_KDF, kind: SealedKind = "node") {
    this.#path = path
    if (existsSync(path)) throw new CosignerError("E-BAK-001", { path })
    this.#file = writing(path, () => {
      makeFolder(dirname(path))
      return new NewFile(path, partialOf(path))
    })
    const { key, header } = newHeader(password, kdf, kind)
    this.#key = key
    this.#stream = new SealingStream(key, (sealed) => this.#write(sealed))
    this.#write(header)
  }

  /** Bytes written so far. */
  get bytes(): number {
    return this.#bytes
  }

  add({ kind, version, body }: BackupRecord): void {
    if (body.length > MAX_BODY) throw new RangeError(`a record of ${body.length} bytes`)
    this.#stream.add(recordHead(kind, version, body.length))
    this.#stream.add(body)
  }

  /** Writes the last record; the file gets its name when every byte is on the disk. */
  finish(manifest: Manifest): void {
    this.finishWith(manifestParts(manifest))
  }

  /** The same with the bytes of a manifest of another kind, in parts. */
  finishWith(parts: readonly Uint8Array[]): void {
    this.#stream.add(recordHead(MANIFEST, 1, lengthOf(parts)))
    for (const part of parts) this.#stream.add(part)
    this.#stream.finish()
    this.#write(END)
    writing(this.#path, () => this.#file.finish(nameBackup))
  }

  [Symbol.dispose](): void {
    this.#stream[Symbol.dispose]()
    this.#key.wipe()
    this.#file[Symbol.dispose]()
  }

  #write(bytes: Uint8Array): void {
    try {
      this.#file.write(bytes)
      this.#bytes += bytes.length
    } catch (error) {
      this[Symbol.dispose]()
      throw asWriteFault(error, this.#path)
    }
  }
}

/** Gives a finished draft a backup's name, durably. Throws E-BAK-001 if the name is taken. */
export function nameBackup(draft: string, path: string): void {
  try {
    nameNew(draft, path)
  } catch (cause) {
    if (errnoOf(cause) === "EEXIST") throw new CosignerError("E-BAK-001", { path }, { cause })
    throw cause
  }
}

/**
 * The records of a backup in their order; the return value is the manifest. The caller must not rely on anything that it read before
 * the generator has returned. Throws E-BAK-002 to -007 and -013.
 */
export function* readBackup(path: string, password: Secret): Generator<BackupRecord, Manifest> {
  return readManifest(path, yield* readSealed(path, password, "node"))
}

/** The kind that a file states; undefined if it states none of them. Throws E-BAK-002. */
export function sealedKindOf(path: string): SealedKind | undefined {
  const fd = reading(path, () => openSync(path, "r"))
  try {
    const start = readAt(path, fd, 0, MAGIC.node.length)
    return SEALED_KINDS.find((kind) => equal(start, MAGIC[kind]))
  } finally {
    closeSync(fd)
  }
}

/** The same for any kind: the return value is the bytes of its manifest. */
export function* readSealed(path: string, password: Secret, kind: SealedKind): Generator<BackupRecord, Bytes> {
  const fd = reading(path, () => openSync(path, "r"))
  try {
    const { size } = reading(path, () => {
      const stat = fstatSync(fd)
      if (!stat.isFile()) throw new CosignerError("E-BAK-003", { path })
      return stat
    })
    const opened = openHeader(readAt(path, fd, 0, HEADER_LENGTH), password, kind)
    if ("problem" in opened) throw headerError(path, opened)
    using key = opened.key
    const end = size - END.length
    if (end < HEADER_LENGTH || !equal(readAt(path, fd, end, END.length), END)) {
      throw new CosignerError("E-BAK-006", { path })
    }
    using plain = new PlainReader(path, fd, key, end)
    for (;;) {
      const head = plain.take(RECORD_HEAD)
      const from = new DataView(head.buffer, head.byteOffset, head.byteLength)
      const [record, version, length] = [from.getUint8(0), from.getUint8(1), from.getUint32(2)]
      if (length > MAX_BODY) throw damaged(path, "a record is longer than any")
      const body = plain.take(length)
      if (record === MANIFEST) {
        if (!plain.isAtEnd()) throw damaged(path, "something stands behind its manifest")
        return body
      }
      try {
        yield { kind: record, version, body }
      } finally {
        body.fill(0)
      }
    }
  } finally {
    closeSync(fd)
  }
}

const lengthOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0)

const damaged = (path: string, where: string) => new CosignerError("E-BAK-007", { path, where })

function headerError(path: string, headerProblem: HeaderProblem): CosignerError {
  switch (headerProblem.problem) {
    case "foreign":
      return new CosignerError("E-BAK-003", { path })
    case "version":
      return new CosignerError("E-BAK-004", { path, found: headerProblem.found, supported: FORMAT })
    case "password":
      return new CosignerError("E-BAK-005", { path })
    case "short":
      return new CosignerError("E-BAK-006", { path })
    case "cost":
      return damaged(path, "its header asks for a password cost that this program never sets")
    case "damaged":
      return damaged(path, "bits of its header have changed")
  }
}

/** Up to `length` bytes; fewer where the file ends. */
function readAt(path: string, fd: number, position: number, length: number): Bytes {
  const out = new Uint8Array(length)
  let at = 0
  while (at < length) {
    const read = reading(path, () => readSync(fd, out, at, length - at, position + at))
    if (read === 0) break
    at += read
  }
  return out.subarray(0, at)
}

/** The plain bytes of the stream, which ends where `end` says. Each chunk is opened before any byte of it is used. */
class PlainReader implements Disposable {
  readonly #path: string
  readonly #fd: number
  readonly #key: Secret
  readonly #end: number
  #position = HEADER_LENGTH
  #index = 0
  #plain: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(path: string, fd: number, key: Secret, end: number) {
    this.#path = path
    this.#fd = fd
    this.#key = key
    this.#end = end
  }

  /** Exactly `length` bytes, a copy that the caller wipes. */
  take(length: number): Bytes {
    const out = new Uint8Array(length)
    for (let done = 0; done < length; ) {
      if (this.#at === this.#plain.length) this.#next()
      const part = this.#plain.subarray(this.#at, this.#at + length - done)
      out.set(part, done)
      done += part.length
      this.#at += part.length
    }
    return out
  }

  isAtEnd(): boolean {
    return this.#at === this.#plain.length && this.#position === this.#end
  }

  #next(): void {
    if (this.#position >= this.#end) throw damaged(this.#path, "it ends in the middle of a record")
    const sealed = readAt(this.#path, this.#fd, this.#position, Math.min(SEALED_CHUNK, this.#end - this.#position))
    this.#position += sealed.length
    this.#plain.fill(0)
    const plain = openChunk(this.#key, this.#index, this.#position >= this.#end, sealed)
    if (plain === undefined) throw damaged(this.#path, `its part ${this.#index} does not open: bits of it have changed`)
    this.#plain = plain
    this.#at = 0
    this.#index++
  }

  [Symbol.dispose](): void {
    this.#plain.fill(0)
  }
}
