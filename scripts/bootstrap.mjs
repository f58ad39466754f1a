// Brings node_modules to what package-lock.json says, and repairs bun's own binary where install scripts were blocked.
// Plain JavaScript without dependencies: it runs under node or bun, before anything is installed.
import { spawnSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const root = join(dirname(fileURLToPath(import.meta.url)), "..")
const stampFile = join(root, "node_modules", ".cosigner-lock-sha256")
const bunDir = join(root, "node_modules", "bun")
const bunBinary = join(bunDir, "bin", "bun.exe")

const run = (command, args, cwd = root) => {
  const { status, error } = spawnSync(command, args, { cwd, stdio: ["ignore", 2, 2] })
  if (error || status !== 0) {
    process.stderr.write(
      `bootstrap: ${command} ${args.join(" ")} failed${error ? `: ${error.message}` : ` with exit code ${status}`}\n`,
    )
    process.exit(1)
  }
}

const lock = createHash("sha256")
  .update(readFileSync(join(root, "package-lock.json")))
  .digest("hex")
const stamp = existsSync(stampFile) ? readFileSync(stampFile, "utf8") : ""
if (stamp !== lock) {
  if (process.versions.bun) run(process.execPath, ["install", "--frozen-lockfile"])
  else run("npm", ["ci", "--no-audit", "--no-fund"])
}

// A blocked postinstall leaves a placeholder of a few hundred bytes where the runtime should be.
const isRuntime = () => existsSync(bunBinary) && statSync(bunBinary).size > 1_000_000
if (!isRuntime()) run(process.execPath, ["install.js"], bunDir)
if (!isRuntime()) {
  process.stderr.write(
    "bootstrap: node_modules/bun holds no runtime for this platform; remove node_modules and try again\n",
  )
  process.exit(1)
}
if (stamp !== lock) writeFileSync(stampFile, lock)
