/** The sealed stream and the file around it: any length comes back, and no piece of it can be changed, moved or left out. */

import { expect, test } from "bun:test"
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import fc from "fast-check"
import { BackupWriter, readBackup } from "../../src/backup/file.ts"
import { HEADER_LENGTH, newHeader, openHeader } from "../../src/backup/format.ts"
import { GroupList, type Manifest, manifestParts, readManifest } from "../../src/backup/manifest.ts"
import { CHUNK, openChunk, SEALED_CHUNK, SealingStream } from "../../src/backup/stream.ts"
import { concat, toHex, utf8 } from "../../src/bytes.ts"
import { sha256 } from "../../src/crypto/frame.ts"
import { CosignerError } from "../../src/errors.ts"
import { Secret } from "../../src/secret.ts"
import { KDF, secret } from "../support/nodeHome.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const key = (): Secret => Secret.take(new Uint8Array(32).fill(7))

function sealed(plain: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = []
  using k = key()
  using stream = new SealingStream(k, (part) => parts.push(part))
  stream.add(plain)
  stream.finish()
  return concat(...parts)
}

function opened(bytes: Uint8Array): Uint8Array | undefined {
  using k = key()
  const parts: Uint8Array[] = []
  for (let at = 0, index = 0; at < bytes.length; at += SEALED_CHUNK, index++) {
    const part = openChunk(k, index, at + SEALED_CHUNK >= bytes.length, bytes.subarray(at, at + SEALED_CHUNK))
    if (part === undefined) return undefined
    parts.push(part)
  }
  return concat(...parts)
}

test("what is sealed in any portions comes back, around every boundary of a chunk", () => {
  for (const length of [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 5]) {
    const plain = new Uint8Array(length).fill(3)
    const bytes = sealed(plain)
    expect(bytes.length).toBe(length + 16 * Math.max(1, Math.ceil(length / CHUNK)))
    expect(opened(bytes)).toEqual(plain)
  }
})

test("a chunk that is changed, moved, repeated or left out does not open", () => {
  const plain = new Uint8Array(3 * CHUNK).map((_, i) => i >> 8)
  const bytes = sealed(plain)
  const chunk = (n: number): Uint8Array => bytes.subarray(n * SEALED_CHUNK, (n + 1) * SEALED_CHUNK)
  for (const order of [[0, 1], [1, 2], [0, 2], [1, 0, 2], [0, 1, 1, 2], [0, 0, 1, 2], [0, 1, 2, 2], [2]]) {
    expect([order, opened(concat(...order.map(chunk)))]).toEqual([order, undefined])
  }
  fc.assert(
    fc.property(fc.integer({ min: 0, max: bytes.length - 1 }), fc.integer({ min: 0, max: 7 }), (at, bit) => {
      const spoilt = bytes.slice()
      spoilt[at] = (spoilt[at] ?? 0) ^ (1 << bit)
      return opened(spoilt) === undefined
    }),
    { numRuns: 40 },
  )
})

test("the key is bound to every byte of the header, and a cost beyond reason is not tried", () => {
  using password = secret("some password or other")
  const { header, key: sealing } = newHeader(password, KDF)
  const back = openHeader(header, password)
  if ("problem" in back) throw new Error(back.problem)
  expect(toHex(back.key.expose())).toBe(toHex(sealing.expose()))
  for (let at = 0; at < HEADER_LENGTH; at++) {
    const spoilt = header.slice()
    spoilt[at] = (spoilt[at] ?? 0) ^ 1
    expect(openHeader(spoilt, password)).toHaveProperty("problem")
  }
  for (const [at, value] of [
    [10, 0xffff_ffff],
    [10, 1],
    [14, 0],
    [14, 1000],
    [18, 0],
    [18, 1000],
  ] as const) {
    // the checksum is anybody's to make
    const costly = header.slice()
    new DataView(costly.buffer).setUint32(at, value)
    costly.set(sha256(costly.subarray(0, HEADER_LENGTH - 32)), HEADER_LENGTH - 32)
    expect([at, value, openHeader(costly, password)]).toEqual([at, value, { problem: "cost" }])
  }
  expect(newHeader(password, KDF).header).not.toEqual(header)
})

const GROUPS = [1, 2, 3].map((n) => ({
  // what a reader of brackets, quotes and commas could trip over
  group_id: `g${n} "],}{,\\" é`,
  epoch_id: "00ff".repeat(n),
  curve: "ed25519",
  status: "ACTIVE",
  threshold: n,
}))
const listOf = (groups: typeof GROUPS): GroupList => {
  const list = new GroupList()
  for (const group of groups) list.add(group)
  return list
}

const MANIFEST: Manifest = {
  program: "test",
  created_ms: 1,
  node_id: "n",
  generation: 1,
  lineage: 0,
  boot: 1,
  chosen_groups: false,
  records: 0,
  groups: listOf(GROUPS),
}

test("records of any sizes come back in order, then the manifest", () => {
  const folder = temporaryFolder("stream").path
  using password = secret("some password or other")
  let n = 0
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 2 * CHUNK }), { maxLength: 6 }), (sizes) => {
      const path = join(folder, `b${n++}`)
      {
        using writer = new BackupWriter(path, password, KDF)
        sizes.forEach((size, i) => {
          writer.add({ kind: i, version: 1, body: new Uint8Array(size).fill(i) })
        })
        writer.finish(MANIFEST)
      }
      const records = readBackup(path, password)
      for (const [i, size] of sizes.entries()) {
        const next = records.next()
        expect(next.done).toBe(false)
        if (next.done !== true)
          expect([next.value.kind, next.value.body.length, next.value.body[0] ?? i]).toEqual([i, size, i])
      }
      const last = records.next()
      expect([last.done, JSON.stringify(last.value)]).toEqual([true, JSON.stringify(MANIFEST)])
      rmSync(path)
    }),
    { numRuns: 15 },
  )
  rmSync(folder, { recursive: true })
})

test("a manifest names its groups as they were added, whatever is in their names", () => {
  for (const groups of [[], GROUPS.slice(0, 1), GROUPS]) {
    const manifest = { ...MANIFEST, groups: listOf(groups) }
    const bytes = concat(...manifestParts(manifest))
    // one JSON document, as any reader reads it
    expect(JSON.parse(new TextDecoder().decode(bytes))).toEqual({ ...MANIFEST, groups })
    const back = readManifest("p", bytes)
    expect([back.groups.size, [...back.groups]]).toEqual([groups.length, groups])
    expect(JSON.stringify(back)).toBe(JSON.stringify(manifest))
  }
})

test("bytes that are no manifest are refused; a group that is none is seen by whoever asks for it", () => {
  const text = new TextDecoder().decode(concat(...manifestParts(MANIFEST)))
  const read = (text: string): unknown => {
    try {
      return [...readManifest("p", utf8(text)).groups].length
    } catch (error) {
      return error instanceof CosignerError ? error.code : error instanceof SyntaxError ? "syntax" : error
    }
  }
  expect(read(text)).toBe(3)
  for (const spoilt of ["", "{", text.slice(0, -1), `${text} `, text.slice(1), text.replace('"boot":1', '"boot":-1')]) {
    expect([spoilt, read(spoilt)]).toEqual([spoilt, "E-BAK-013"])
  }
  for (const spoilt of [text.replace('"threshold":2', '"threshold":-2'), text.replace('"curve"', '"curves"')]) {
    expect([spoilt, read(spoilt)]).toEqual([spoilt, "syntax"])
  }
})

test("a manifest of another form is refused as one of another version", () => {
  const folder = temporaryFolder("stream").path
  using password = secret("some password or other")
  const path = join(folder, "b")
  {
    using writer = new BackupWriter(path, password, KDF)
    const more = { ...MANIFEST, extra: 1 }
    writer.finish(more)
  }
  let code: unknown
  try {
    readBackup(path, password).next()
  } catch (error) {
    code = error instanceof CosignerError ? error.code : error
  }
  expect(code).toBe("E-BAK-013")
  // nothing of it is readable without the password
  expect(readFileSync(path).toString("latin1")).not.toContain("node_id")
  writeFileSync(path, "")
  rmSync(folder, { recursive: true })
})
