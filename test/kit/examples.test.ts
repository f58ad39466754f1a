/**
 * The example callback servers of src/kit/examples, each graded by `cosigner callback-test`. One whose language is not installed is
 * skipped with the reason; Go and Java are compiled and belong to the long run; Python is named by COSIGNER_EXAMPLE_PYTHON. The long
 * run also goes through the first hour with each of them as the nodes' callback server: real nodes' requests, intents and hashes.
 */
import { expect, test } from "bun:test"
import { generateKeyPairSync, type KeyObject } from "node:crypto"
import { cpSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { runPage } from "../pages/blocks.ts"
import { cosigner, root } from "../support/binary.ts"
import { freePort } from "../support/freePort.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

const LONG = process.env["COSIGNER_LONG"] === "1"
const python = process.env["COSIGNER_EXAMPLE_PYTHON"]

interface Example {
  readonly language: string
  /** Why it is not run here. */
  readonly skipped: string | undefined
  /** Commands that make it, in its folder. */
  readonly build: readonly (readonly string[])[]
  /** The command that runs it, without its configuration. */
  readonly run: (folder: string) => readonly string[]
}

const needs = (...programs: readonly string[]): string | undefined => {
  const missing = programs.filter((program) => Bun.which(program) === null)
  if (missing.length > 0) return `${missing.join(" and ")} not installed`
  return LONG ? undefined : "it is compiled, in the long run"
}

const examples: readonly Example[] = [
  {
    language: "typescript",
    skipped: undefined,
    build: [],
    // where node_modules is found
    run: () => [process.execPath, join(root, "src/kit/examples/typescript/server.ts")],
  },
  {
    language: "python",
    skipped: python === undefined ? "COSIGNER_EXAMPLE_PYTHON names no Python with its requirements.txt" : undefined,
    build: [],
    run: (folder) => [python ?? "", join(folder, "server.py")],
  },
  {
    language: "go",
    skipped: needs("go"),
    build: [
      ["go", "vet", "./..."],
      ["go", "test", "./..."],
      ["go", "build", "-o", "callbackserver", "."],
    ],
    run: (folder) => [join(folder, "callbackserver")],
  },
  {
    language: "java",
    skipped: needs("javac", "java"),
    build: [["sh", "-c", "javac -Xlint:all -Werror -d out *.java"]],
    run: (folder) => ["java", "-cp", join(folder, "out"), "CallbackServer"],
  },
]

const pem = (key: KeyObject) => key.export({ type: key.type === "private" ? "pkcs8" : "spki", format: "pem" })

for (const { language, skipped, build, run } of examples) {
  if (skipped !== undefined) console.log(`skipped: the example in ${language}: ${skipped}`)
  test.skipIf(skipped !== undefined)(
    `the example in ${language} gets an A`,
    async () => {
      using temporary = temporaryFolder(`example-${language}`)
      const folder = temporary.path
      make(language, build, folder)
      const example = await Bun.file(join(root, "src/kit/examples/config.example.json")).json()
      const listen = `127.0.0.1:${await freePort()}`
      writeFileSync(join(folder, "config.json"), JSON.stringify({ ...example, listen }))
      const [node, server] = [0, 1].map(() => generateKeyPairSync("rsa", { modulusLength: 2048 }))
      if (node === undefined || server === undefined) throw new Error("no keys")
      writeFileSync(join(folder, "node.key"), pem(node.privateKey))
      writeFileSync(join(folder, "node-callback-pub.key"), pem(node.publicKey))
      writeFileSync(join(folder, "callback-server.key"), pem(server.privateKey))
      writeFileSync(join(folder, "server-pub.key"), pem(server.publicKey))
      const child = Bun.spawn([...run(folder), join(folder, "config.json")], {
        stdout: "ignore",
        stderr: Bun.file(join(folder, "log")),
      })
      try {
        await answering(`http://${listen}/ping`, child)
        const graded = await cosigner(
          [
            "callback-test",
            `http://${listen}/v2/check`,
            ...["--node-key", "node.key", "--server-pub", "server-pub.key"],
            ...["--to", example.destinations[0], "--amount", "0.1 ether", "--json"],
          ],
          { cwd: folder },
        )
        const report = JSON.parse(graded.stdout)
        const amiss = report.results.filter(({ outcome }: { outcome: string }) => outcome !== "pass")
        expect({ amiss, grade: report.grade, approved: report.approved, exit: graded.exit }).toEqual({
          amiss: [],
          grade: "A",
          approved: "transaction",
          exit: 0,
        })
      } finally {
        child.kill()
        await child.exited
      }
    },
    120_000,
  )
  test.skipIf(!LONG || skipped !== undefined)(
    `the first hour with the example in ${language} as the nodes' callback server`,
    async () => {
      using temporary = temporaryFolder(`example-${language}`)
      const folder = temporary.path
      make(language, build, folder)
      const example = await Bun.file(join(root, "src/kit/examples/config.example.json")).json()
      const nodes = ["a", "b", "c"].map((node) => `../${node}-callback.pem`)
      const config = JSON.stringify({ ...example, node_public_keys: nodes })
      const page = readFileSync(join(root, "docs/tutorial/first-hour.md"), "utf8")
      const theirs = "cosigner callback-server -c risk/callback-server.toml > risk.log"
      const ours = `echo '${config}' > risk/config.json; ${run(folder).join(" ")} risk/config.json > risk.log`
      expect(page).toContain(theirs)
      const { exit, said } = await runPage("first-hour.md", page.replace(theirs, ours))
      expect({ exit, said: exit === 0 ? "" : said.slice(-3000) }).toEqual({ exit: 0, said: "" })
      expect(said).toMatch(/"intent":\["transfer 0\.25 ETH to /)
    },
    150_000,
  )
}

function make(language: string, build: Example["build"], folder: string): void {
  cpSync(join(root, "src/kit/examples", language), folder, { recursive: true })
  for (const command of build) {
    const { exitCode, stderr, stdout } = Bun.spawnSync([...command], { cwd: folder })
    expect([command[1], exitCode, exitCode === 0 ? "" : `${stdout}${stderr}`]).toEqual([command[1], 0, ""])
  }
}

/** Resolves when the server answers; rejects when it has ended instead. */
async function answering(url: string, child: Bun.Subprocess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the example ended with exit code ${child.exitCode}`)
    const answered = await fetch(url).catch(() => undefined)
    if (answered?.ok) return
    await Bun.sleep(20)
  }
}
