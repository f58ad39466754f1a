/** Durable and private files on a real folder: what is replaced, refused, left behind. */

import { describe, expect, test } from "bun:test"
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { utf8 } from "../src/bytes.ts"
import {
  errnoOf,
  makeFolder,
  NewFile,
  nameNew,
  nameOver,
  readPrivate,
  replaceFile,
  UnusableFile,
  writeNew,
} from "../src/files.ts"
import { temporaryFolder } from "./support/temporaryFolder.ts"

const failureOf = (action: () => unknown): unknown => {
  try {
    action()
  } catch (error) {
    return error
  }
  return "no failure"
}

describe("a new file", () => {
  test("has mode 600, its whole text, and no draft beside it", () => {
    using dir = temporaryFolder("files")
    writeNew(dir.at("a"), "text\n")
    expect(readFileSync(dir.at("a"), "utf8")).toBe("text\n")
    expect(statSync(dir.at("a")).mode & 0o777).toBe(0o600)
    expect(statSync(dir.at("a")).nlink).toBe(1)
    expect(readdirSync(dir.path).sort()).toEqual(["a"])
  })
  test("never replaces a file, nor a link, nor what a link leads to", () => {
    using dir = temporaryFolder("files")
    writeFileSync(dir.at("kept"), "old")
    symlinkSync(dir.at("kept"), dir.at("link"))
    symlinkSync(dir.at("nowhere"), dir.at("dangling"))
    for (const name of ["kept", "link", "dangling"]) {
      expect(errnoOf(failureOf(() => writeNew(dir.at(name), "new")))).toBe("EEXIST")
    }
    expect(readFileSync(dir.at("kept"), "utf8")).toBe("old")
    expect(readdirSync(dir.path).sort()).toEqual(["dangling", "kept", "link"])
  })
  test("that was not finished is not there", () => {
    using dir = temporaryFolder("files")
    {
      using file = new NewFile(dir.at("a"))
      file.write(utf8("half"))
      expect(readdirSync(dir.path).sort()).toHaveLength(1)
    }
    expect(readdirSync(dir.path).sort()).toEqual([])
  })
  test("cannot be written to once it has its name", () => {
    using dir = temporaryFolder("files")
    using file = new NewFile(dir.at("a"))
    file.finish(nameNew)
    expect(() => file.write(utf8("more"))).toThrow(TypeError)
  })
})

describe("a file that is replaced", () => {
  test("is the new one, mode 600, whatever the old one's mode", () => {
    using dir = temporaryFolder("files")
    writeFileSync(dir.at("a"), "old", { mode: 0o644 })
    replaceFile(dir.at("a"), "new")
    expect(readFileSync(dir.at("a"), "utf8")).toBe("new")
    expect(statSync(dir.at("a")).mode & 0o777).toBe(0o600)
    expect(readdirSync(dir.path).sort()).toEqual(["a"])
  })
  test("stays as it is until the draft is whole", () => {
    using dir = temporaryFolder("files")
    writeFileSync(dir.at("a"), "old")
    using file = new NewFile(dir.at("a"))
    file.write(utf8("new"))
    expect(readFileSync(dir.at("a"), "utf8")).toBe("old")
    file.finish(nameOver)
    expect(readFileSync(dir.at("a"), "utf8")).toBe("new")
  })
  test("is written through no link: neither one in its place nor one in the draft's", () => {
    using dir = temporaryFolder("files")
    writeFileSync(dir.at("victim"), "victim")
    symlinkSync(dir.at("victim"), dir.at("a"))
    symlinkSync(dir.at("victim"), dir.at("a.new"))
    replaceFile(dir.at("a"), "new")
    expect(readFileSync(dir.at("victim"), "utf8")).toBe("victim")
    expect(readFileSync(dir.at("a"), "utf8")).toBe("new")
    linkSync(dir.at("victim"), dir.at("a.new"))
    replaceFile(dir.at("a"), "newer")
    expect(readFileSync(dir.at("victim"), "utf8")).toBe("victim")
  })
})

test("a folder is made with all above it, for its owner only", () => {
  using dir = temporaryFolder("files")
  makeFolder(dir.at("a/b/c"))
  for (const name of ["a", "a/b", "a/b/c"]) expect(statSync(dir.at(name)).mode & 0o777).toBe(0o700)
  makeFolder(dir.at("a/b"))
})

describe("a private file", () => {
  const why = (action: () => unknown): string => {
    const failure = failureOf(action)
    return failure instanceof UnusableFile ? failure.message : String(failure)
  }
  test("is read, up to its bound", () => {
    using dir = temporaryFolder("files")
    writeFileSync(dir.at("a"), "12345678", { mode: 0o600 })
    using secret = readPrivate(dir.at("a"), 8)
    expect(Buffer.from(secret.expose()).toString()).toBe("12345678")
    expect(why(() => readPrivate(dir.at("a"), 7))).toBe("it is longer than 7 bytes")
  })
  test("is refused for each mode that lets others read it, unless that is allowed", () => {
    using dir = temporaryFolder("files")
    writeFileSync(dir.at("a"), "x")
    for (const mode of [0o640, 0o604, 0o660, 0o601]) {
      chmodSync(dir.at("a"), mode)
      expect(why(() => readPrivate(dir.at("a"), 8))).toContain(`its mode is ${mode.toString(8)}`)
      expect(readPrivate(dir.at("a"), 8, true).length).toBe(1)
    }
  })
  test("is no link, no folder, and there", () => {
    using dir = temporaryFolder("files")
    writeFileSync(dir.at("a"), "x", { mode: 0o600 })
    symlinkSync(dir.at("a"), dir.at("link"))
    mkdirSync(dir.at("folder"))
    expect(why(() => readPrivate(dir.at("link"), 8, true))).toBe("it is a symbolic link")
    expect(why(() => readPrivate(dir.at("folder"), 8, true))).toBe("it is not a regular file")
    expect(why(() => readPrivate(dir.at("absent"), 8))).toBe("there is no such file")
  })
})
