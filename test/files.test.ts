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
  isReadOnly,
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
      expect(readPrivate(dir.at("a"), 8, { allowReadable: true }).length).toBe(1)
    }
  })
  test("is found through the links of a mounted volume, and judged by what they lead to", () => {
    using dir = temporaryFolder("files")
    mkdirSync(dir.at("..2026"))
    writeFileSync(dir.at("..2026/key"), "x", { mode: 0o600 })
    symlinkSync("..2026", dir.at("..data"))
    symlinkSync("..data/key", dir.at("key"))
    expect(readPrivate(dir.at("key"), 8).length).toBe(1)
    chmodSync(dir.at("..2026/key"), 0o644)
    expect(why(() => readPrivate(dir.at("key"), 8))).toContain(`chmod 600 ${dir.at("..2026/key")}`)
    symlinkSync("loop", dir.at("loop"))
    expect(why(() => readPrivate(dir.at("loop"), 8))).toBe("it leads from link to link")
  })
  test("is refused in a folder where anybody may put another, and accepted in one such as /tmp", () => {
    using dir = temporaryFolder("files")
    mkdirSync(dir.at("open"))
    writeFileSync(dir.at("open/a"), "x", { mode: 0o600 })
    chmodSync(dir.at("open"), 0o777)
    expect(why(() => readPrivate(dir.at("open/a"), 8, { allowReadable: true }))).toContain(
      `chmod o-w ${dir.at("open")}`,
    )
    chmodSync(dir.at("open"), 0o1777)
    expect(readPrivate(dir.at("open/a"), 8).length).toBe(1)
  })
  test("what was accepted although others may read it is said", () => {
    using dir = temporaryFolder("files")
    writeFileSync(dir.at("a"), "x", { mode: 0o644 })
    const said: string[] = []
    readPrivate(dir.at("a"), 8, { allowReadable: true, tell: (note) => said.push(note) }).wipe()
    expect(said).toEqual([
      `${dir.at("a")} has mode 644: others may read it, which danger_allow_readable_key_file accepts`,
    ])
    chmodSync(dir.at("a"), 0o600)
    readPrivate(dir.at("a"), 8, { tell: (note) => said.push(note) }).wipe()
    expect(said).toHaveLength(1)
  })
  test("a file system counts as read-only if it is so as a whole, not in one mount of it", () => {
    const mounts = [
      "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro",
      "30 22 7:3 / /image ro,nodev - squashfs /dev/loop3 ro",
      "41 22 0:55 / /run/secret ro,relatime - tmpfs tmpfs rw,size=64k",
      "42 22 259:300 / /big ro - erofs /dev/x ro,user_xattr",
    ].join("\n")
    const device = (major: number, minor: number) => (minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)
    const found = [device(8, 1), device(7, 3), device(0, 55), device(259, 300), device(9, 9)]
    expect(found.map((dev) => isReadOnly(dev, mounts))).toEqual([false, true, false, true, false])
    expect(isReadOnly(device(7, 3), "")).toBe(false)
  })
  test("is no folder, and there", () => {
    using dir = temporaryFolder("files")
    mkdirSync(dir.at("folder"))
    expect(why(() => readPrivate(dir.at("folder"), 8, { allowReadable: true }))).toBe("it is not a regular file")
    expect(why(() => readPrivate(dir.at("absent"), 8))).toBe("there is no such file")
  })
})

test("a folder whose name a file has is refused as no folder, not as if the file to be written were there", () => {
  using dir = temporaryFolder("files")
  writeFileSync(dir.at("taken"), "")
  for (const path of [dir.at("taken"), dir.at("taken", "below")]) {
    expect(() => makeFolder(path)).toThrow(expect.objectContaining({ code: "ENOTDIR" }))
  }
})
