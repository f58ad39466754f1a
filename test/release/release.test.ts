/** Packages: the archive as other tools read it, man pages without a warning, a bill of materials that is complete. */

import { afterAll, describe, expect, test } from "bun:test"
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { gunzipSync } from "node:zlib"
import { commandPages } from "../../scripts/docs/commands.ts"
import { commonFiles, file, sumsOf } from "../../scripts/release/contents.ts"
import { manPages } from "../../scripts/release/man.ts"
import { fileManPages } from "../../scripts/release/manFiles.ts"
import { type Lock, sbom } from "../../scripts/release/sbom.ts"
import { gzip, tar } from "../../scripts/release/tar.ts"
import { command, flag } from "../../src/cli/command.ts"
import { cosigner, root } from "../support/binary.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const folder = temporaryFolder("release").path
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const lock: Lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"))
const edition = { version: "v1.2.3", date: "2026-01-12" }
const time = new Date("2026-01-12T11:12:04Z")
const mtime = time.getTime() / 1000

describe("an archive", () => {
  const files = [
    file("a/cosigner", new Uint8Array(1500).fill(7), true),
    file("a/b/empty", ""),
    file("a/text", "x".repeat(512)),
  ]
  const packed = gzip(tar(files, mtime))

  test("is what tar reads: names, contents, modes, owners, times", () => {
    const path = join(folder, "a.tar.gz")
    writeFileSync(path, packed)
    const list = Bun.spawnSync(["tar", "--utc", "--full-time", "-tvzf", path]).stdout.toString()
    const fields = list
      .trim()
      .split("\n")
      .map((line) => line.split(/\s+/))
    expect(fields).toEqual([
      ["-rw-r--r--", "root/root", "0", "2026-01-12", "11:12:04", "a/b/empty"],
      ["-rwxr-xr-x", "root/root", "1500", "2026-01-12", "11:12:04", "a/cosigner"],
      ["-rw-r--r--", "root/root", "512", "2026-01-12", "11:12:04", "a/text"],
    ])
    expect(Bun.spawnSync(["tar", "-xzf", path, "-C", folder]).exitCode).toBe(0)
    for (const { path: name, bytes } of files) expect(readFileSync(join(folder, name)).equals(bytes)).toBe(true)
    expect(statSync(join(folder, "a/cosigner")).mode & 0o111).toBe(0o111)
  })
  test("is the same bytes whatever the order, and tells neither time nor machine", () => {
    expect(Buffer.compare(gzip(tar(files.toReversed(), mtime)), packed)).toBe(0)
    expect([...packed.subarray(4, 8), packed[9]]).toEqual([0, 0, 0, 0, 255])
    expect(gunzipSync(packed).length % 512).toBe(0)
  })
  test("refuses a name that would be cut", () => {
    expect(() => tar([file("x".repeat(101), "")], mtime)).toThrow()
  })
  test("has sums that sha256sum agrees with", () => {
    writeFileSync(join(folder, "SHA256SUMS"), sumsOf(files))
    const { exitCode } = Bun.spawnSync(["sha256sum", "--check", "--quiet", "SHA256SUMS"], { cwd: folder })
    expect(exitCode).toBe(0)
  })
})

describe("a package", () => {
  test("holds the template, units, completions, man pages, specification, licence and bill, the same ones twice", async () => {
    const names = async () => (await commonFiles(edition, lock, time)).map(({ path }) => path)
    const found = await names()
    const wanted = [
      "LICENSE",
      "SECURITY.md",
      "ARCHITECTURE.md",
      "docs/reference/errors.md",
      "docs/spec/README.md",
      "docs/spec/threshold.md",
      "docs/spec/formats.md",
      "docs/spec/runtime.md",
      "configs/cosigner.toml.template",
      "systemd/cosigner.service",
      "systemd/tmpfiles.d/cosigner.conf",
      "completions/cosigner.bash",
      "completions/_cosigner",
      "completions/cosigner.fish",
      "man/man1/cosigner.1",
      "man/man1/cosigner-info-group.1",
      "sbom.cdx.json",
      "kit/examples/README.md",
      "kit/examples/config.example.json",
      "kit/examples/go/go.mod",
      "kit/examples/java/CallbackServer.java",
      "kit/examples/python/requirements.txt",
      "kit/examples/typescript/package.json",
    ]
    expect(wanted.filter((name) => !found.includes(name))).toEqual([])
    expect(new Set(found).size).toBe(found.length)
    const sums = async () => sumsOf(await commonFiles(edition, lock, time))
    expect(await sums()).toBe(await sums())
  })
  test("has what its documents link to", async () => {
    const files = await commonFiles(edition, lock, time)
    const packed = new Set(files.map(({ path }) => path))
    const dead = files
      .filter(({ path }) => path.endsWith(".md"))
      .flatMap(({ path, bytes }) => {
        const links = [...new TextDecoder().decode(bytes).matchAll(/\]\((?![a-z]+:)([^)#\s]+)[^)]*\)/g)].map(
          ([, link]) => link ?? "",
        )
        return links.filter((link) => !packed.has(join(path, "..", link))).map((link) => `${path}: ${link}`)
      })
    expect(dead).toEqual([])
  })
})

describe("man pages", () => {
  test("there is one for every command, with each of its options", async () => {
    const all = await commandPages()
    const pages = manPages(all, edition)
    expect(pages.size).toBe(all.length + 1)
    for (const { name, command: of } of all) {
      const page = pages.get(`${name.replaceAll(" ", "-")}.1`) ?? ""
      const flags = Object.values(of?.options ?? {}).map((option) => option.flags.replaceAll("-", "\\-"))
      expect({ name, lacking: flags.filter((text) => !page.includes(text)) }).toEqual({ name, lacking: [] })
    }
  })
  test("there is one for each configuration file, with every key of its tables", () => {
    const pages = fileManPages(edition)
    expect([...pages.keys()]).toEqual(["cosigner.toml.5", "waas.toml.5"])
    for (const key of ["websocket.waas_public_key", "[[event.server]]", "event.server.url", "status.token_path"]) {
      expect(pages.get("cosigner.toml.5")).toContain(`\n.B ${key.replaceAll("-", "\\-")}\n`)
    }
    for (const key of ["waas.listen", "[[waas.chains]]", "waas.chains.rpc_url", "waas.webhooks.hosts"]) {
      expect(pages.get("waas.toml.5")).toContain(`\n.B ${key}\n`)
    }
  })
  test("have text that is no order to the formatter", () => {
    const evil = command({
      summary: "s",
      details: ".SH INJECTED\n'br\nback\\slash",
      options: { x: flag("--x", ".so /etc/passwd") },
      run: async () => 0,
    })
    const page =
      manPages([{ name: "cosigner evil", summary: "s", command: evil, below: [] }], edition).get("cosigner-evil.1") ??
      ""
    expect(page).toContain("\n\\&.SH INJECTED\n\\&'br\nback\\eslash\n")
    expect(page).toContain("\n\\&.so /etc/passwd\n")
  })

  const hasMan = Bun.which("man") !== null
  const hasMandoc = Bun.which("mandoc") !== null
  if (!hasMan) console.error("skipped: man is missing, the pages are not formatted")
  if (!hasMandoc) console.error("skipped: mandoc is missing, the pages are not linted by it")
  const each = async (check: (path: string) => string) => {
    const said: string[] = []
    for (const [name, text] of [...manPages(await commandPages(), edition), ...fileManPages(edition)]) {
      const path = join(folder, name)
      writeFileSync(path, text)
      const found = check(path)
      if (found !== "") said.push(`${name}: ${found}`)
    }
    return said
  }

  test.skipIf(!hasMan)("are formatted without a warning", async () => {
    const format = (path: string) => {
      const env = { PATH: process.env["PATH"] ?? "", MANWIDTH: "120", LC_ALL: "C.UTF-8" }
      return Bun.spawnSync(["man", "--warnings=w", "-l", path], { env }).stderr.toString()
    }
    expect(await each(format)).toEqual([])
    const broken = join(folder, "broken.1")
    writeFileSync(broken, ".TH X 1\n.SH NAME\n.nosuchmacro\nx\n")
    expect(format(broken)).not.toBe("")
  })
  test.skipIf(!hasMandoc)("satisfy mandoc", async () => {
    const lint = (path: string) => Bun.spawnSync(["mandoc", "-T", "lint", "-W", "error", path]).stdout.toString()
    expect(await each(lint)).toEqual([])
  })
})

describe("the bill of materials", () => {
  interface Bill {
    readonly components: readonly {
      readonly "bom-ref": string
      readonly name: string
      readonly scope: string
      readonly type: string
      readonly hashes?: readonly { readonly alg: string; readonly content: string }[]
      readonly licenses: readonly object[]
    }[]
    readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[]
    readonly serialNumber: string
  }
  const bill: Bill = JSON.parse(JSON.stringify(sbom(lock, time)))
  const of = (name: string) => bill.components.find((component) => component.name === name)

  test("names every locked package once, with its hash and licence", () => {
    // copies of one version, in several places, are one package
    const locked = Object.entries(lock.packages).filter(([path]) => path !== "")
    const named = locked.map(([path, { version }]) => `pkg:npm/${path.replace(/^.*node_modules\//, "")}@${version}`)
    const refs = bill.components.map((component) => component["bom-ref"].replace("%40", "@"))
    expect(refs.sort()).toEqual([...new Set(named)].sort())
    for (const { name, hashes, licenses } of bill.components) {
      expect({ name, licensed: licenses.length }).toEqual({ name, licensed: 1 })
      expect(hashes?.[0]?.content).toMatch(/^[0-9a-f]{128}$/)
    }
  })
  test("tells what is in the binary from what only builds it", () => {
    expect(of("jose")).toMatchObject({ scope: "required", type: "library" })
    expect(of("bun")).toMatchObject({ scope: "required", type: "framework" })
    expect(of("typescript")).toMatchObject({ scope: "excluded" })
  })
  test("of two copies of a version, one of them in the binary, is required, and depends on what either finds", () => {
    const locked = (dev: boolean) => ({ version: "1.0.0", license: "MIT", dev, dependencies: { b: "*" } })
    const packages = {
      "": { version: "1.0.0" },
      "node_modules/tool": { version: "1.0.0", dev: true },
      "node_modules/tool/node_modules/a": locked(true),
      "node_modules/tool/node_modules/b": { version: "2.0.0", dev: true },
      "node_modules/a": locked(false),
      "node_modules/b": { version: "1.0.0" },
    }
    const small: Bill = JSON.parse(JSON.stringify(sbom({ name: "x", version: "1.0.0", packages }, time)))
    expect(small.components.filter(({ name }) => name === "a")).toMatchObject([{ scope: "required" }])
    const [a] = small.dependencies.filter(({ ref }) => ref === "pkg:npm/a@1.0.0")
    expect(a?.dependsOn).toEqual(["pkg:npm/b@1.0.0", "pkg:npm/b@2.0.0"])
  })
  test("refers to nothing that it does not name", () => {
    const known = new Set(bill.components.map((component) => component["bom-ref"]))
    expect(bill.dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !known.has(ref))).toEqual([])
    const root = bill.dependencies.find(({ ref }) => ref === `cosigner@${lock.version}`)
    expect(root?.dependsOn).toContain(of("elysia")?.["bom-ref"] ?? "")
    const elysia = bill.dependencies.find(({ ref }) => ref === of("elysia")?.["bom-ref"])
    expect(elysia?.dependsOn.length).toBeGreaterThan(0)
  })
  test("has a number that is its content's", () => {
    expect(sbom(lock, time)).toEqual(sbom(lock, time))
    const other: Bill = JSON.parse(JSON.stringify(sbom({ ...lock, version: "9.9.9" }, time)))
    expect(bill.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    expect(other.serialNumber).not.toBe(bill.serialNumber)
  })
})

test.skipIf(process.env["COSIGNER_LONG"] !== "1")(
  "the whole of it, for one machine, is the binary that was tested, and is signed",
  async () => {
    const password = join(folder, "password")
    writeFileSync(password, "a password of releases\n", { mode: 0o600 })
    const key = join(folder, "release.key")
    const made = await cosigner(["release-key", "--out", key, "--key-file", password], { cwd: folder })
    expect([made.exit, made.stderr]).toEqual([0, ""])
    const signing = ["--sign-key", key, "--key-file", password]
    const { exitCode } = Bun.spawnSync([process.execPath, "scripts/release.ts", "--only", "linux-x64", ...signing], {
      cwd: root,
      stdio: ["ignore", "inherit", "inherit"],
    })
    expect(exitCode).toBe(0)
    const verify = ["release-verify", "SHA256SUMS", "--key", join(folder, "release.pub"), "--json"]
    const verified = await cosigner(verify, { cwd: join(root, "dist/release") })
    expect(JSON.parse(verified.stdout)).toMatchObject({ trusted_comment: `cosigner v${lock.version}`, absent: [] })
    expect(JSON.parse(verified.stdout).as_signed).toHaveLength(4)
    const { exitCode: intact } = Bun.spawnSync(["sha256sum", "--check", "SHA256SUMS"], {
      cwd: join(root, "dist/release"),
    })
    expect(intact).toBe(0)
  },
  300_000,
)
