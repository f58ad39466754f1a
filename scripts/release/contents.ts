/**
 * What goes into a package beside the binary: the same for every machine. Its README is written for who has only the package;
 * sources stay out, but for the example callback servers, which stand in kit/examples.
 */
import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { SHELLS } from "../../src/cli/completion.ts"
import { run } from "../../src/cli/run.ts"
import { template } from "../../src/config/template.ts"
import { commandPages } from "../docs/commands.ts"
import { root } from "../toolchain.ts"
import { type Edition, manPages } from "./man.ts"
import { fileManPages } from "./manFiles.ts"
import { type Lock, sbom } from "./sbom.ts"
import type { TarFile } from "./tar.ts"

const COMPLETIONS = { bash: "cosigner.bash", zsh: "_cosigner", fish: "cosigner.fish" } as const
const DOCUMENTS = ["LICENSE", "SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md", "Containerfile"]

export async function commonFiles(edition: Edition, lock: Lock, time: Date): Promise<readonly TarFile[]> {
  const below = (pattern: string): readonly string[] => [...new Bun.Glob(pattern).scanSync({ cwd: root })]
  const copied = [...DOCUMENTS, ...below("docs/**/*.{md,svg,png}"), ...below("systemd/**/*")].map(async (path) =>
    file(path, path.endsWith(".md") ? inPackage(await textOf(path)) : await readFile(join(root, path))),
  )
  const examples = below(`${EXAMPLES}/**/*.{md,json,go,mod,java,py,txt,ts}`)
    .filter((path) => !path.includes("node_modules"))
    .map(async (path) => file(inPackage(path), await textOf(path)))
  const completions = SHELLS.map(async (shell) => file(`completions/${COMPLETIONS[shell]}`, await completion(shell)))
  const pages = [...manPages(await commandPages(), edition)].map(([name, text]) => file(`man/man1/${name}`, text))
  const filePages = [...fileManPages(edition)].map(([name, text]) => file(`man/man5/${name}`, text))
  return [
    file("README.md", await textOf("scripts/release/README.md")),
    ...(await Promise.all([...copied, ...examples, ...completions])),
    ...pages,
    ...filePages,
    file("configs/cosigner.toml.template", template()),
    file("sbom.cdx.json", `${JSON.stringify(sbom(lock, time), null, 2)}\n`),
  ]
}

const textOf = (path: string): Promise<string> => readFile(join(root, path), "utf8")

const EXAMPLES = "src/kit/examples"

/** What a text, or a path, calls the examples in a package. */
const inPackage = (text: string): string => text.replaceAll(EXAMPLES, "kit/examples")

export const file = (path: string, content: string | Uint8Array, executable = false): TarFile => ({
  path,
  bytes: typeof content === "string" ? new TextEncoder().encode(content) : content,
  executable,
})

/** As `sha256sum --check` reads it. */
export const sumsOf = (files: readonly TarFile[]): string =>
  [...files]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ path, bytes }) => `${createHash("sha256").update(bytes).digest("hex")}  ${path}\n`)
    .join("")

async function completion(shell: string): Promise<string> {
  let said = ""
  const write = (_: 1 | 2, text: string) => {
    said += text
  }
  const exit = await run(["completion", shell], { env: {}, write })
  if (exit !== 0) throw new Error(`no completion for ${shell}: ${said}`)
  return said
}
