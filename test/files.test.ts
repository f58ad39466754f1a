/** Durable and private files on a real folder: what is replaced, refused, left behind. */
import { describe, expect, test } from "bun:test"
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
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

/** A fresh folder; gone at the end of the block. */
function folder() {
  const path = mkdtempSync(join(tmpdir(), "cosigner-files-"))
  return {
    in: (name: string) => join(path, name),
    names: () => readdirSync(path).sort(),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}

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
    using dir = folder()
    writeNew(dir.in("a"), "text\n")
    expect(readFileSync(dir.in("a"), "utf8")).toBe("text\n")
    expect(statSync(dir.in("a")).mode & 0o777).toBe(0o600)
    expect(statSync(dir.in("a")).nlink).toBe(1)
    expect(dir.names()).toEqual(["a"])
  })
  test("never replaces a file, nor a link, nor what a link leads to", () => {
    using dir = folder()
    writeFileSync(dir.in("kept"), "old")
    symlinkSync(dir.in("kept"), dir.in("link"))
    symlinkSync(dir.in("nowhere"), dir.in("dangling"))
    for (const name of ["kept", "link", "dangling"]) {
      expect(errnoOf(failureOf(() => writeNew(dir.in(name), "new")))).toBe("EEXIST")
    }
    expect(readFileSync(dir.in("kept"), "utf8")).toBe("old")
    expect(dir.names()).toEqual(["dangling", "kept", "link"])
  })
  test("that was not finished is not there", () => {
    using dir = folder()
    {
      using file = new NewFile(dir.in("a"))
      file.write(utf8("half"))
      expect(dir.names()).toHaveLength(1)
    }
    expect(dir.names()).toEqual([])
  })
  test("cannot be written to once it has its name", () => {
    using dir = folder()
    using file = new NewFile(dir.in("a"))
    file.finish(nameNew)
    expect(() => file.write(utf8("more"))).toThrow(TypeError)
  })
})

describe("a file that is replaced", () => {
  test("is the new one, mode 600, whatever the old one's mode", () => {
    using dir = folder()
    writeFileSync(dir.in("a"), "old", { mode: 0o644 })
    replaceFile(dir.in("a"), "new")
    expect(readFileSync(dir.in("a"), "utf8")).toBe("new")
    expect(statSync(dir.in("a")).mode & 0o777).toBe(0o600)
    expect(dir.names()).toEqual(["a"])
  })
  test("stays as it is until the draft is whole", () => {
    using dir = folder()
    writeFileSync(dir.in("a"), "old")
    using file = new NewFile(dir.in("a"))
    file.write(utf8("new"))
    expect(readFileSync(dir.in("a"), "utf8")).toBe("old")
    file.finish(nameOver)
    expect(readFileSync(dir.in("a"), "utf8")).toBe("new")
  })
  test("is written through no link: neither one in its place nor one in the draft's", () => {
    using dir = folder()
    writeFileSync(dir.in("victim"), "victim")
    symlinkSync(dir.in("victim"), dir.in("a"))
    symlinkSync(dir.in("victim"), dir.in("a.new"))
    replaceFile(dir.in("a"), "new")
    expect(readFileSync(dir.in("victim"), "utf8")).toBe("victim")
    expect(readFileSync(dir.in("a"), "utf8")).toBe("new")
    linkSync(dir.in("victim"), dir.in("a.new"))
    replaceFile(dir.in("a"), "newer")
    expect(readFileSync(dir.in("victim"), "utf8")).toBe("victim")
  })
})

test("a folder is made with all above it, for its owner only", () => {
  using dir = folder()
  makeFolder(dir.in("a/b/c"))
  for (const name of ["a", "a/b", "a/b/c"]) expect(statSync(dir.in(name)).mode & 0o777).toBe(0o700)
  makeFolder(dir.in("a/b"))
})

describe("a private file", () => {
  const why = (action: () => unknown): string => {
    const failure = failureOf(action)
    return failure instanceof UnusableFile ? failure.message : String(failure)
  }
  test("is read, up to its bound", () => {
    using dir = folder()
    writeFileSync(dir.in("a"), "12345678", { mode: 0o600 })
    using secret = readPrivate(dir.in("a"), 8)
    expect(Buffer.from(secret.expose()).toString()).toBe("12345678")
    expect(why(() => readPrivate(dir.in("a"), 7))).toBe("it is longer than 7 bytes")
  })
  test("is refused for each mode that lets others read it, unless that is allowed", () => {
    using dir = folder()
    writeFileSync(dir.in("a"), "x")
    for (const mode of [0o640, 0o604, 0o660, 0o601]) {
      chmodSync(dir.in("a"), mode)
      expect(why(() => readPrivate(dir.in("a"), 8))).toContain(`its mode is ${mode.toString(8)}`)
      expect(readPrivate(dir.in("a"), 8, true).length).toBe(1)
    }
  })
  test("is no link, no folder, and there", () => {
    using dir = folder()
    writeFileSync(dir.in("a"), "x", { mode: 0o600 })
    symlinkSync(dir.in("a"), dir.in("link"))
    mkdirSync(dir.in("folder"))
    expect(why(() => readPrivate(dir.in("link"), 8, true))).toBe("it is a symbolic link")
    expect(why(() => readPrivate(dir.in("folder"), 8, true))).toBe("it is not a regular file")
    expect(why(() => readPrivate(dir.in("absent"), 8))).toBe("there is no such file")
  })
})
