/**
 * The Containerfile: by the rules of linters of such files, and by its own steps. These are carried out here in a folder instead of
 * an image: what is copied, where it works, as whom, with nothing to write but the mounts.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test"
import { spawn, spawnSync } from "node:child_process"
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { dirname, join } from "node:path"
import { commonFiles, file } from "../../scripts/release/contents.ts"
import { publishedFiles, publishedNames } from "../../scripts/release/published.ts"
import type { Lock } from "../../scripts/release/sbom.ts"
import { checkConfig } from "../../src/config/load.ts"
import { binary, root } from "../support/binary.ts"
import { temporaryFolder } from "../support/temporaryFolder.ts"

setDefaultTimeout(60_000)

interface Step {
  readonly name: string
  readonly text: string
}

/** Instructions in their order; comments and continued lines are what the format says they are. */
const stepsOf = (source: string): readonly Step[] =>
  source
    .replaceAll(/^\s*#.*\n/gm, "")
    .replaceAll(/\\\n/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => {
      const [, name = "", text = ""] = /^(\S+)\s+(.*)$/.exec(line) ?? []
      return { name, text }
    })

/** What a linter of container files would find. */
function findings(source: string): readonly string[] {
  const steps = stepsOf(source)
  const of = (name: string): readonly string[] => steps.filter((step) => step.name === name).map(({ text }) => text)
  const json = (text: string | undefined): unknown => {
    try {
      return JSON.parse(text ?? "")
    } catch {
      return undefined
    }
  }
  const rules: readonly (readonly [boolean, string])[] = [
    [
      steps.every(({ name }) => /^(?:ARG|FROM|COPY|WORKDIR|USER|STOPSIGNAL|ENTRYPOINT|CMD)$/.test(name)),
      "an instruction",
    ],
    [of("FROM").length === 1, "one stage"],
    [
      steps.findIndex(({ name }) => name === "FROM") === steps.findIndex(({ name }) => name !== "ARG"),
      "FROM comes first",
    ],
    [
      !/:latest\b|=[a-z]+$/m.test(
        of("ARG")
          .filter((text) => text.startsWith("BASE="))
          .join("\n"),
      ),
      "a base with a version",
    ],
    [
      of("COPY").every((text) => /^--chown=0:0 --chmod=(?:755|644) \S+ \/\S+$/.test(text)),
      "copies that root owns, with a mode",
    ],
    [Array.isArray(json(of("ENTRYPOINT")[0])) && of("ENTRYPOINT").length === 1, "an entry point without a shell"],
    [Array.isArray(json(of("CMD")[0])), "a command without a shell"],
    [/^[1-9]\d*:[1-9]\d*$/.test(of("USER").at(-1) ?? ""), "a user that is a number and not root"],
    [of("WORKDIR").join() === "/app", "the working directory"],
    [!/password|secret=|token/i.test(steps.map(({ text }) => text).join("\n")), "no secret"],
  ]
  return rules.filter(([isKept]) => !isKept).map(([, rule]) => rule)
}

const source = readFileSync(join(root, "Containerfile"), "utf8")

describe("the Containerfile", () => {
  test("satisfies the linter, which finds what is wrong in others", () => {
    expect(findings(source)).toEqual([])
    for (const [from, to, rule] of [
      ["USER 65532:65532", "USER root", "a user that is a number and not root"],
      ["USER 65532:65532", "", "a user that is a number and not root"],
      ['ENTRYPOINT ["/usr/local/bin/cosigner"]', "ENTRYPOINT cosigner", "an entry point without a shell"],
      ['CMD ["start"]', "RUN curl x | sh", "an instruction"],
      ["bookworm-slim", "latest", "a base with a version"],
      ["--chmod=755", "--chmod=777", "copies that root owns, with a mode"],
      ["WORKDIR /app", "WORKDIR /", "the working directory"],
    ] as const) {
      expect(source).toContain(from)
      expect(findings(source.replace(from, to))).toContain(rule)
    }
  })
  test("copies what every package has", async () => {
    const lock: Lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"))
    const common = await commonFiles({ version: "v1.2.3", date: "2026-01-12" }, lock, new Date(0))
    const names = new Set([...common.map(({ path }) => path), "cosigner"])
    const copied = stepsOf(source).filter(({ name }) => name === "COPY")
    for (const { text } of copied) {
      const [, , from = ""] = text.split(" ")
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the file's own variable
      expect([from, names.has(from.replace("${BINARY}", "cosigner"))]).toEqual([from, true])
    }
  })
})

const UID = 23_456
const isRoot = process.getuid?.() === 0
if (!isRoot) console.error("skipped: only root can play a container with a user of its own")

describe.skipIf(!isRoot)("its steps, carried out in a folder", () => {
  const image = temporaryFolder("container").path
  const app = join(image, "app")
  const program = join(image, "usr/local/bin/cosigner")
  const MOUNTS = ["configs", "db", "logs", "recovery", "backups", "secret"]
  afterAll(() => rmSync(image, { recursive: true, force: true }))
  beforeAll(() => {
    for (const { name, text } of stepsOf(source)) {
      if (name === "COPY") {
        const [, chmod = "", from = "", to = ""] = text.split(" ")
        mkdirSync(dirname(join(image, to)), { recursive: true })
        copyFileSync(from === "LICENSE" ? join(root, from) : binary, join(image, to))
        chmodSync(join(image, to), Number.parseInt(chmod.slice("--chmod=".length), 8))
      }
      if (name === "WORKDIR") mkdirSync(join(image, text), { recursive: true })
    }
    chmodSync(image, 0o755)
    for (const mount of MOUNTS) {
      mkdirSync(join(app, mount), { mode: 0o700 })
      chownSync(join(app, mount), UID, UID)
    }
    writeFileSync(join(app, "secret/key"), "a password of good length", { mode: 0o600 })
    chownSync(join(app, "secret/key"), UID, UID)
    const yaml = [
      "env: sandbox",
      "danger_allow_unguarded_signing: true",
      "websocket:",
      "  url: ws://127.0.0.1:9/ws",
      `  waas_public_key: 58${"66".repeat(31)}`,
      "",
    ].join("\n")
    writeFileSync(join(app, "configs/cobo-tss-node-config.yaml"), yaml, { mode: 0o644 })
  })

  const asAnyUser = { cwd: app, env: { SSL_CERT_FILE: "/nowhere" }, uid: UID, gid: UID }
  /** As any user, in the working directory, with an environment that holds nothing of ours. */
  const inside = (args: readonly string[]) =>
    spawnSync(program, [...args, "--key-file", "secret/key"], { ...asAnyUser, encoding: "utf8" })
  /** Until it says that it runs; then as an engine stops a container. */
  async function untilRunning(): Promise<{ readonly said: string; readonly status: number | null }> {
    const child = spawn(program, ["start", "--key-file", "secret/key"], {
      ...asAnyUser,
      stdio: ["ignore", "ignore", "pipe"],
    })
    let said = ""
    child.stderr.on("data", (piece: Uint8Array) => {
      const wasRunning = said.includes('msg="running"')
      said += Buffer.from(piece).toString()
      // once: a second one ends the process at once
      if (!wasRunning && said.includes('msg="running"')) child.kill("SIGTERM")
    })
    const status = await new Promise<number | null>((resolve) => child.once("close", resolve))
    return { said, status }
  }
  /** What is in the image outside the mounts. */
  const outside = (): readonly string[] =>
    readdirSync(image, { recursive: true, encoding: "utf8" })
      .filter((path) => !MOUNTS.some((mount) => path.startsWith(`app/${mount}/`)))
      .sort()

  test("init, info and start work for a user that the image does not know, and write to the mounts alone", async () => {
    const before = outside()
    const made = inside(["init", "--json"])
    expect([made.status, made.stderr]).toEqual([0, ""])
    const { node_id } = JSON.parse(made.stdout)
    expect(inside(["info"]).stdout).toContain(`Node ID: ${node_id}`)
    const { said, status } = await untilRunning()
    expect({ status, said }).toMatchObject({ status: 0, said: expect.stringContaining("Environment: sandbox") })
    expect(said).toContain('msg="stopped"')
    expect(said).not.toContain("E-ADM-001")
    expect(statSync(join(app, "db/secrets.db")).uid).toBe(UID)
    expect(outside()).toEqual(before)
    expect(existsSync(join(app, "db/run/admin.sock"))).toBe(false)
  })
})

describe("the published names", () => {
  const own = [file("cosigner", "the binary", true), file("LICENSE", "x")]
  test("are those that the install scripts ask for", () => {
    expect(publishedNames("linux-x64", "v1.2.3")).toEqual([
      "cobo-tss-node-linux-amd64-v1.2.3.tar.gz",
      "cobo-tss-node-v1.2.3-linux-amd64.tar.gz",
      "cobo-tss-node-linux-amd64.tar.gz",
    ])
    expect(publishedNames("darwin-arm64", "v1.2.3")[2]).toBe("cobo-tss-node-darwin-arm64.tar.gz")
  })
  test("hold a binary of that name, sums, and a template that this program reads", () => {
    const files = publishedFiles("linux-x64", own)
    expect(files.map(({ path, executable }) => `${path}${executable ? "*" : ""}`)).toEqual([
      "cobo-tss-node-linux-amd64/cobo-tss-node*",
      "cobo-tss-node-linux-amd64/LICENSE",
      "cobo-tss-node-linux-amd64/configs/cobo-tss-node-config.yaml.template",
      "cobo-tss-node-linux-amd64/SHA256SUMS",
    ])
    const text = (index: number) => new TextDecoder().decode(files[index]?.bytes)
    expect(text(3)).toContain("  cobo-tss-node\n")
    expect(checkConfig(text(2), "template.yaml").config).toMatchObject({
      env: "development",
      log: { file: { enable: true, filename: "logs/tss-node.log" } },
    })
  })
})
