/**
 * One operation in a process that kills itself before its n-th step that could be durable: a call that changes the file
 * system, or a commit. Arguments: operation, folder, n. Ends with 0 when there were fewer steps than n.
 */
import { Database } from "bun:sqlite"
import { mock } from "bun:test"
import * as fs from "node:fs"
import { join } from "node:path"

const [operation = "", home = "", at = "0"] = process.argv.slice(2)
let left = Number(at)
const step = (): void => {
  if (left-- === 0) process.kill(process.pid, "SIGKILL")
}

const real = { ...fs }
const counted = <A extends unknown[], R>(call: (...args: A) => R) => {
  return (...args: A): R => {
    step()
    return call(...args)
  }
}
mock.module("node:fs", () => ({
  ...real,
  writeSync: counted(real.writeSync),
  fsyncSync: counted(real.fsyncSync),
  renameSync: counted(real.renameSync),
  copyFileSync: counted(real.copyFileSync),
  mkdtempSync: counted(real.mkdtempSync),
  rmSync: counted(real.rmSync),
}))
const run = Database.prototype.run
Database.prototype.run = function (this: Database, ...args: Parameters<typeof run>) {
  if (!/^(?:COMMIT|PRAGMA user_version = 4)/.test(args[0])) return run.apply(this, args)
  step()
  const result = run.apply(this, args)
  step()
  return result
}

const { KDF, OTHER, PASSWORD, secret, STEPS } = await import("./crashOperations.ts")
await STEPS[operation]?.({
  home,
  db: join(home, "secrets.db"),
  file: join(home, "backups", "b"),
  kdf: KDF,
  secret,
  PASSWORD,
  OTHER,
})
process.exit(0)
