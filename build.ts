/**
 * Builds dist/cosigner and dist/SHA256SUMS: one locked-down executable, the same bytes from the same commit wherever it is
 * built. `--if-stale` does nothing when the inputs have not changed since the last build. `--target bun-linux-arm64 --outfile
 * PATH/cosigner` builds for another machine, and writes nothing else.
 *
 * SOURCE_DATE_EPOCH and SOURCE_COMMIT stand in for git where the sources come without it.
 */
import { createHash } from "node:crypto"
import { existsSync } from "node:fs"
import { mkdir, mkdtemp, open, readFile, rename, rm, writeFile } from "node:fs/promises"
import { basename, dirname, join } from "node:path"
import { LOCKDOWN } from "./src/lockdown.ts"

const root = import.meta.dir
const dist = join(root, "dist")
const ENTRIES = [
  "src/main.ts",
  "src/workers/worker.ts",
  "src/workers/readerProgram.ts",
  "src/ops/port/worker.ts",
  "src/ops/admin/worker.ts",
  "src/waas/console/worker.ts",
]

/**
 * Names the runtime reads from the environment before any of our code runs, or after the last of it. The lockdown already keeps
 * them from running our kind of code, except the first, which turns the executable into a plain bun.
 */
const DOORS = [
  "BUN_BE_BUN",
  "BUN_OPTIONS",
  "BUN_INSPECT",
  // a crash would run `curl` of the PATH, to tell a server of it
  "BUN_CRASH_REPORT_URL",
  "BUN_ENABLE_CRASH_REPORTING",
]

async function main(): Promise<void> {
  const pinned: unknown = (await Bun.file(join(root, "package.json")).json()).devDependencies.bun
  if (Bun.version !== pinned)
    throw new Error(`this is bun ${Bun.version}, the build is pinned to ${pinned}: npm run build`)
  const target = argument("--target")
  if (target !== undefined) return await crossBuild(target, argument("--outfile") ?? "")
  const stamp = await inputsDigest()
  if (Bun.argv.includes("--if-stale") && (await isFresh(stamp))) return
  await mkdir(dist, { recursive: true })
  // built aside and renamed: a reader of dist/ never sees half a binary. The base name is part of the bytes.
  const scratch = await mkdtemp(join(dist, ".build-"))
  try {
    const made = await compileProven(scratch)
    const doors = process.platform === "linux" ? await closeDoors(made.path, process.execPath) : 0
    const digest = await sha256(made.path)
    await rename(made.path, join(dist, "cosigner"))
    await writeFile(join(dist, "SHA256SUMS"), `${digest}  cosigner\n`)
    await writeFile(join(dist, ".inputs"), `${stamp}\n${digest}\n`)
    console.error(`dist/cosigner ${(made.size / 1e6).toFixed(1)} MB, sha256 ${digest}, ${doors} runtime doors closed`)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

const argument = (name: string): string | undefined => {
  const at = Bun.argv.indexOf(name)
  return at < 0 ? undefined : Bun.argv[at + 1]
}

/** For another machine. Its runtime is fetched by bun from the package registry, at the version of this one. */
async function crossBuild(target: string, outfile: string): Promise<void> {
  if (basename(outfile) !== "cosigner")
    throw new Error("--outfile must end in /cosigner: the name is part of the bytes")
  await mkdir(dirname(outfile), { recursive: true })
  const scratch = await mkdtemp(join(dirname(outfile), ".build-"))
  try {
    const made = await compileProven(scratch, target)
    let doors = 0
    if (target.startsWith("bun-linux-")) {
      // the runtime of the target and nothing else, as far as names go
      const empty = join(scratch, "empty.ts")
      await writeFile(empty, "")
      const runtime = join(scratch, "runtime", "cosigner")
      await bundle([empty], scratch, runtime, false, target)
      doors = await closeDoors(made.path, runtime)
    }
    await rename(made.path, outfile)
    console.error(`${target} ${(made.size / 1e6).toFixed(1)} MB, ${doors} runtime doors closed`)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function compileProven(scratch: string, target?: string): Promise<Made> {
  const made = await compile(join(scratch, "cosigner"), true, target)
  const plain = await compile(join(scratch, "plain", "cosigner"), false, target)
  // bun exits 0 when it could not make bytecode; the executable would then start three times slower
  if (made.size - plain.size < made.sources) throw new Error("no bytecode was generated: look at the build log above")
  return made
}

interface Made {
  readonly path: string
  readonly size: number
  /** Bytes of the bundled JavaScript. */
  readonly sources: number
}

function compile(outfile: string, bytecode: boolean, target: string | undefined): Promise<Made> {
  const entries = ENTRIES.map((entry) => join(root, entry)).filter((entry) => existsSync(entry))
  return bundle(entries, join(root, "src"), outfile, bytecode, target)
}

async function bundle(
  entrypoints: readonly string[],
  base: string,
  outfile: string,
  bytecode: boolean,
  target: string | undefined,
): Promise<Made> {
  const result = await Bun.build({
    entrypoints: [...entrypoints],
    root: base,
    target: "bun",
    format: "esm",
    minify: true,
    // Chunks are read when they are imported: a command pays for its own code alone, at the start and in memory.
    splitting: true,
    bytecode,
    define: { COSIGNER_BUILD: JSON.stringify(await provenance()) },
    compile: {
      outfile,
      ...(target === undefined ? {} : { target: target as Bun.Build.CompileTarget }),
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
      execArgv: [...LOCKDOWN],
    },
  })
  for (const log of result.logs) console.error(String(log))
  const sources = result.outputs.reduce((sum, output) => sum + output.size, 0)
  return { path: outfile, size: Bun.file(outfile).size, sources }
}

async function provenance(): Promise<{ version: string; mode: "compiled"; commit: string; time: string }> {
  const { version } = await Bun.file(join(root, "package.json")).json()
  const commit = process.env["SOURCE_COMMIT"] ?? headCommit()
  const seconds = process.env["SOURCE_DATE_EPOCH"] ?? git("log", "-1", "--format=%ct") ?? "0"
  const time = new Date(Number(seconds) * 1000).toISOString().slice(0, 19).replaceAll(/[-:]/g, "")
  return { version: `v${version}`, mode: "compiled", commit, time }
}

/** The commit, marked where the sources are not what it holds. */
function headCommit(): string {
  const changed = git("status", "--porcelain", "--", "src", "systemd", "build.ts", "package-lock.json")
  const commit = git("rev-parse", "HEAD")
  return commit === undefined ? "unknown" : `${commit}${changed === "" ? "" : "-dirty"}`
}

function git(...args: readonly string[]): string | undefined {
  const { exitCode, stdout } = Bun.spawnSync(["git", ...args], { cwd: root, stderr: "ignore" })
  return exitCode === 0 ? stdout.toString().trim() : undefined
}

/**
 * Makes the runtime blind to DOORS: the first byte of each name in the runtime's constants becomes NUL, which no variable's
 * name can contain. Places are taken from the runtime alone and must hold the same name in the executable, so our own
 * code is never touched. Linux only: elsewhere an edit breaks the code signature.
 */
async function closeDoors(path: string, runtimePath: string): Promise<number> {
  const runtime = await readFile(runtimePath)
  const file = await open(path, "r+")
  let closed = 0
  try {
    for (const name of DOORS) {
      for (let at = runtime.indexOf(name); at >= 0; at = runtime.indexOf(name, at + 1)) {
        // JavaScript text inside the runtime, reached only through the constants: a NUL there would be a syntax error
        if (runtime.subarray(at - 12, at).toString("latin1") === "process.env.") continue
        const { buffer } = await file.read(Buffer.alloc(name.length), 0, name.length, at)
        if (buffer.toString("latin1") !== name)
          throw new Error(`the executable is not laid out like its runtime at ${at}`)
        await file.write(Buffer.of(0), 0, 1, at)
        closed++
      }
    }
    await file.sync()
  } finally {
    await file.close()
  }
  if (closed < DOORS.length) throw new Error(`only ${closed} names were found in the runtime: has bun changed?`)
  return closed
}

// ---- staleness -------------------------------------------------------------------------------------------------------

async function inputsDigest(): Promise<string> {
  const hash = createHash("sha256").update(JSON.stringify([await provenance(), Bun.version, process.platform]))
  const sources = [...new Bun.Glob("{src,systemd}/**/*").scanSync({ cwd: root })].sort()
  for (const name of ["build.ts", "package-lock.json", ...sources]) {
    hash.update(`\0${name}\0`).update(await readFile(join(root, name)))
  }
  return hash.digest("hex")
}

async function isFresh(stamp: string): Promise<boolean> {
  try {
    const [inputs, digest] = (await readFile(join(dist, ".inputs"), "utf8")).split("\n")
    return inputs === stamp && digest === (await sha256(join(dist, "cosigner")))
  } catch {
    return false
  }
}

const sha256 = async (path: string): Promise<string> =>
  createHash("sha256")
    .update(await readFile(path))
    .digest("hex")

await main()
