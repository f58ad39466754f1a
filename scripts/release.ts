/**
 * `npm run release`: a package for each machine in dist/release, made twice and compared. `--only linux-x64` makes one.
 * `--sign-key FILE --key-file PASSWORD-FILE` signs SHA256SUMS; `cosigner release-sign` does it later, on another machine.
 *
 * cosigner-linux-x64-v0.1.0.tar.gz holds the folder cosigner-linux-x64 with the binary, SHA256SUMS of every file in it,
 * the configuration's template, units, completions, man pages, documents (the specification among them), licence and bill
 * of materials. The same files stand in archives with the names that the published install scripts look for (release/published.ts).
 */
import { createHash } from "node:crypto"
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises"
import { basename, join } from "node:path"
import { readKeyFile } from "../src/config/keyFile.ts"
import { signRelease } from "../src/kit/release/keyFile.ts"
import { commonFiles, file, sumsOf } from "./release/contents.ts"
import { publishedFiles, publishedNames } from "./release/published.ts"
import type { Lock } from "./release/sbom.ts"
import { gzip, type TarFile, tar } from "./release/tar.ts"
import { mustRun, root } from "./toolchain.ts"

const MACHINES = ["linux-x64", "linux-arm64", "darwin-arm64"] as const

const given = (flag: string): string | undefined => {
  const at = process.argv.indexOf(flag)
  return at < 0 ? undefined : (process.argv[at + 1] ?? "")
}
const only = given("--only")
const chosen = only === undefined ? MACHINES : MACHINES.filter((machine) => machine === only)
if (chosen.length === 0) throw new Error(`--only takes one of ${MACHINES.join(", ")}`)

const lock: Lock = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8"))
const version = `v${lock.version}`
const time = commitTime()
const mtime = Math.floor(time.getTime() / 1000)
const signKey = given("--sign-key")
const passwordFile = given("--key-file")
if (signKey !== undefined && passwordFile === undefined)
  throw new Error("--sign-key takes its password from --key-file FILE; or sign afterwards with cosigner release-sign")
const target = join(root, "dist", "release")
await mkdir(join(root, "dist"), { recursive: true })
const scratch = await mkdtemp(join(root, "dist", ".release-"))
try {
  const sums: string[] = []
  const out = join(scratch, "out")
  await mkdir(out)
  for (const machine of chosen) {
    const name = `cosigner-${machine}-${version}.tar.gz`
    const first = await filesFor(machine)
    const again = await filesFor(machine)
    const changed = again.filter(
      ({ path, bytes }) => !first.some((tarFile) => tarFile.path === path && same(tarFile.bytes, bytes)),
    )
    if (changed.length > 0) throw new Error(`not the same twice: ${changed.map(({ path }) => path).join(", ")}`)
    const packed = gzip(tar(inFolder(machine, first), mtime))
    if (!same(packed, gzip(tar(inFolder(machine, again), mtime))))
      throw new Error(`${name} was not packed the same twice`)
    const published = gzip(tar(publishedFiles(machine, first), mtime))
    const archives = [
      [name, packed] as const,
      ...publishedNames(machine, version).map((one) => [one, published] as const),
    ]
    for (const [archive, bytes] of archives) {
      await writeFile(join(out, archive), bytes)
      sums.push(`${createHash("sha256").update(bytes).digest("hex")}  ${archive}\n`)
    }
    console.error(`${name} ${(packed.length / 1e6).toFixed(1)} MB, the same twice`)
  }
  await writeFile(join(out, "SHA256SUMS"), sums.join(""))
  if (signKey !== undefined && passwordFile !== undefined) {
    using password = readKeyFile(passwordFile, { allowReadable: false })
    const { signature_file, key_id } = signRelease(join(out, "SHA256SUMS"), signKey, password, `cosigner ${version}`)
    console.error(`${basename(signature_file)}, by key ${key_id}`)
  }
  await rm(target, { recursive: true, force: true })
  await rename(out, target)
} finally {
  await rm(scratch, { recursive: true, force: true })
}

/** Our own package, and the published names beside it. */
function inFolder(machine: string, files: readonly TarFile[]): readonly TarFile[] {
  return [...files, file("SHA256SUMS", sumsOf(files))].map((tarFile) => ({
    ...tarFile,
    path: `cosigner-${machine}/${tarFile.path}`,
  }))
}

/** Everything in the package's folder but SHA256SUMS. */
async function filesFor(machine: string): Promise<readonly TarFile[]> {
  const binary = join(scratch, machine, "cosigner")
  await mustRun("build.ts", "--target", `bun-${machine}`, "--outfile", binary)
  const common = await commonFiles({ version, date: time.toISOString().slice(0, 10) }, lock, time)
  const files: readonly TarFile[] = [file("cosigner", await readFile(binary), true), ...common]
  await rm(binary)
  return files
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** Of the commit, as the binary has it. */
function commitTime(): Date {
  const epoch = process.env["SOURCE_DATE_EPOCH"]
  const { stdout } = Bun.spawnSync(["git", "log", "-1", "--format=%ct"], { cwd: root, stderr: "ignore" })
  return new Date(Number(epoch ?? (stdout.toString().trim() || "0")) * 1000)
}
