/** What goes into a package beside the binary: the same for every machine. */
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
const DOCUMENTS = ["LICENSE", "README.md", "SECURITY.md", "ARCHITECTURE.md", "CHANGELOG.md", "Containerfile"]

export async function commonFiles(edition: Edition, lock: Lock, time: Date): Promise<readonly TarFile[]> {
  const below = (pattern: string): readonly string[] => [...new Bun.Glob(pattern).scanSync({ cwd: root })]
  const copied = [...DOCUMENTS, ...below("docs/**/*.{md,svg}"), ...below("systemd/**/*")].map(async (path) =>
    file(path, await readFile(join(root, path))),
  )
  const completions = SHELLS.map(async (shell) => file(`completions/${COMPLETIONS[shell]}`, await completion(shell)))
  const pages = [...manPages(await commandPages(), edition)].map(([name, text]) => file(`man/man1/${name}`, text))
  const filePages = [...fileManPages(edition)].map(([name, text]) => file(`man/man5/${name}`, text))
  return [
    ...(await Promise.all([...copied, ...completions])),
    ...pages,
    ...filePages,
    file("configs/cosigner.toml.template", template()),
    file("sbom.cdx.json", `${JSON.stringify(sbom(lock, time), null, 2)}\n`),
  ]
}

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
