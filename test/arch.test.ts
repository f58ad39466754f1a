/**
 * The shape of src/ (ARCHITECTURE.md): who may import whom, what the pure folders keep away from, and the words that have no
 * place in security code. It reads the text itself, because a type-only import outwards is a wrong dependency too.
 * Every detector is shown a sample that it must find.
 */
import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"
import { OT_HASH_TO_CURVE_DST, TAGS } from "../src/crypto/tags.ts"
import { EXIT } from "../src/errors/entry.ts"
import { RUNBOOK } from "../src/errors/runbook.ts"
import { codes } from "../src/errors.ts"

const root = join(import.meta.dir, "..", "src")

interface Source {
  /** Below src/: `mpc/run.ts`. */
  readonly path: string
  /** Without comments and string contents; `raw` has them. */
  readonly code: string
  readonly raw: string
}

type Detector = (source: Source) => readonly string[]

const sources: readonly Source[] = [...new Bun.Glob("**/*.ts").scanSync({ cwd: root })]
  // programs of their own, for customers to take away: they share nothing with the rest
  .filter((path) => !path.startsWith("kit/examples/"))
  .sort()
  .map((path) => sourceOf(path, readFileSync(join(root, path), "utf8")))

function sourceOf(path: string, raw: string): Source {
  return { path, raw, code: withoutText(raw) }
}

/** Every finding of `detect` in src/, as `path: finding`. */
const findings = (detect: Detector, among: (path: string) => boolean = () => true): readonly string[] =>
  sources
    .filter(({ path }) => among(path))
    .flatMap((source) => detect(source).map((found) => `${source.path}: ${found}`))

/**
 * Blanks comments, the contents of strings and of regular expressions, and the text of templates; what stands in `${}`
 * of a template stays.
 */
function withoutText(raw: string): string {
  const PIECES =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|(?<=[=(,:?[&|!{};\n]\s*|return\s|=>\s)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*|`(?:\\[\s\S]|[^`\\])*`/g
  return raw.replace(PIECES, (piece) => {
    if (piece.startsWith("`")) {
      const holes = [...piece.matchAll(/\$\{((?:[^{}]|\{[^{}]*\})*)\}/g)].map(([, hole]) => withoutText(hole ?? ""))
      return `\`\${${holes.join(";")}}\``
    }
    return piece.startsWith("/") ? " " : '""'
  })
}

// ---- imports -------------------------------------------------------------------------------------------------------

/** Specifiers of static, type-only and dynamic imports and of re-exports. */
const importsOf = ({ raw }: Source): readonly string[] =>
  [...raw.matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)"([.@a-z][^"\s]*)"/g)].map(([, specifier]) => specifier ?? "")

const LEAVES = new Set([
  "bytes.ts",
  "codec.ts",
  "errors.ts",
  "secret.ts",
  "tokenBucket.ts",
  "commitPause.ts",
  "log.ts",
  "logText.ts",
  "build.ts",
  "errors",
])
const PURE = ["settings", "crypto", "audit", "keys", "intent", "mpc", "approvals", "policy", "wire", "tasks"]
/** What every edge may use, and no pure part. */
const EDGE_WORDS = new Set(["files.ts", "outbound.ts", "sleep.ts"])
/** Between the words and the edges: what listeners for people share. */
const PANEL = "panel"
const EDGES = new Set(["store", "backup", "link", "callback", "events", "waas", "workers", "hardening", "signers"])
const WIRING = [
  "lockdown.ts",
  "output.ts",
  "config",
  "logStream.ts",
  "logFile.ts",
  "logging.ts",
  "ops",
  "jobs",
  "daemon.ts",
  "kit",
  "cli",
  "main.ts",
]

/** The first part of a path below src/: `mpc`, or `main.ts`. */
const partOf = (path: string): string => path.split("/")[0] ?? path

/** Height in the import order; a part may import its own height only within itself. */
function heightOf(part: string): number {
  if (LEAVES.has(part)) return 0
  if (PURE.includes(part)) return 1 + PURE.indexOf(part)
  if (EDGE_WORDS.has(part)) return 1 + PURE.length
  if (part === PANEL) return 2 + PURE.length
  if (EDGES.has(part)) return 3 + PURE.length
  if (part.startsWith("daemon")) return 4 + PURE.length + WIRING.indexOf("daemon.ts")
  if (WIRING.includes(part)) return 4 + PURE.length + WIRING.indexOf(part)
  return Number.NaN
}

const wrongImports: Detector = (source) =>
  importsOf(source)
    .filter((specifier) => specifier.startsWith("."))
    .filter((specifier) => {
      const from = partOf(source.path)
      const path = normalize(join(dirname(source.path), specifier))
      // the units that the binary carries as text
      if (from === "cli" && path.startsWith("../systemd/")) return false
      const to = partOf(path)
      if (from === to || (LEAVES.has(from) && LEAVES.has(to))) return false
      // a part that is not in the order is wrong by itself
      return !(heightOf(to) < heightOf(from))
    })

const withoutSuffix: Detector = (source) =>
  importsOf(source).filter(
    (specifier) => specifier.startsWith(".") && !/\.(?:ts|js|json|html|css|svg|service|timer|conf)$/.test(specifier),
  )

const isPure = (path: string): boolean => PURE.includes(partOf(path))
const isLeaf = (path: string): boolean => LEAVES.has(partOf(path))

/** Libraries that compute and nothing else, each in the one file that wraps it, or in the one folder of its chain. */
const PURE_LIBRARIES = new Set(["wire/tssJwt.ts jose"])
const FOLDER_LIBRARIES: readonly (readonly [folder: string, library: RegExp])[] = [
  ["settings/", /^(?:@sinclair\/typebox(?:\/value)?|toml|yaml)$/],
  // the one file there that reads the disk
  ["settings/file.ts", /^node:fs$/],
  ["policy/", /^@sinclair\/typebox(?:\/value)?$/],
  ["keys/", /^@scure\/base$/],
  ["intent/evm/", /^micro-eth-signer\//],
  ["intent/solana/", /^@solana\//],
  ["intent/tron/", /^@bufbuild\/protobuf(?:\/|$)/],
]

const impureImports: Detector = (source) =>
  importsOf(source).filter((specifier) => {
    if (specifier.startsWith(".") || specifier === "node:crypto") return false
    if (isLeaf(source.path)) return specifier !== "node:util"
    if (FOLDER_LIBRARIES.some(([folder, library]) => source.path.startsWith(folder) && library.test(specifier)))
      return false
    return !/^@noble\/(?:curves|hashes)\//.test(specifier) && !PURE_LIBRARIES.has(`${source.path} ${specifier}`)
  })

// Bun.SHA256.hash and its like are node:crypto's hashes without an object for each call
const IMPURE =
  /\b(?:fetch|Date|setTimeout|setInterval|performance|process|Bun(?!\.SHA(?:256|512)\.hash\b)|console)\b(?!\s*:)/g
const impureWords: Detector = ({ code }) => [...code.matchAll(IMPURE)].map(([word]) => word)

// ---- words ---------------------------------------------------------------------------------------------------------

const matching =
  (pattern: RegExp): Detector =>
  ({ code }) =>
    [...code.matchAll(pattern)].map(([found]) => found)
const matchingRaw =
  (pattern: RegExp): Detector =>
  ({ raw }) =>
    [...raw.matchAll(pattern)].map(([found]) => found)

interface Gate {
  readonly what: string
  readonly detect: Detector
  /** Text that it must find. */
  readonly sample: string
  readonly among?: (path: string) => boolean
}

const GATES: readonly Gate[] = [
  { what: "any", detect: matching(/(?::|\bas|<|\|)\s*any\b/g), sample: "const x = y as any" },
  {
    what: "non-null assertions",
    detect: matching(/[\w)\]]!(?=[.;,)\]\s[])(?!\s*==)/g),
    sample: "return list[0]!.name",
  },
  { what: "silenced types", detect: matchingRaw(/@ts-\w+/g), sample: "// @ts-expect-error" },
  {
    what: "unfinished work",
    detect: matchingRaw(/\b(?:TODO|FIXME|HACK|XXX)\b/g),
    sample: "// TODO: check the signature",
  },
  { what: "default exports", detect: matching(/\bexport default\b/g), sample: "export default 1" },
  { what: "barrels", detect: matching(/\bexport \* from\b/g), sample: 'export * from "./a.ts"' },
  { what: "Math.random", detect: matching(/\bMath\.random\b/g), sample: "Math.random()" },
  { what: "code from strings", detect: matching(/\beval\(|\bnew Function\b/g), sample: "new Function(text)" },
  {
    what: "variable-time comparison of exposed secrets",
    detect: matching(/\.expose\(\)\s*[!=]==?|[!=]==?\s*\w+\.expose\(\)|\bequal\([^()]*\.expose\(\)/g),
    sample: "if (a.expose() === b.expose()) return",
  },
  {
    what: "BigInt masks, whose time tells the bit",
    detect: matching(/&\s*-BigInt\(|-BigInt\([^()]*\)\s*&/g),
    sample: "sum += g & -BigInt(bit)",
  },
  {
    what: "modulo of fewer than 40 random bytes",
    detect: matching(/(?:rng|random\w*)\((?:[1-9]|[12]\d|3\d)\)[^\n]*%/gi),
    sample: "beToBig(rng(32)) % q",
  },
  {
    what: "secrets as JSON",
    detect: matching(/JSON\.stringify\([^)\n]*(?:expose\(|secret|share\.s\b)/gi),
    sample: "JSON.stringify(key.expose())",
    // the plaintext of a recovery file is JSON, by its format
    among: (path) => path !== "keys/recoveryBox.ts",
  },
  {
    what: "the end of the process outside main.ts",
    detect: matching(/\bprocess\.(?:exit|abort|kill)\b/g),
    sample: "process.exit(1)",
    // The other one ends a command that hangs, with the group of processes that it started.
    among: (path) => path !== "main.ts" && path !== "waas/keyCommand.ts",
  },
  {
    what: "whatever a stranger's error says, as text",
    detect: matching(/\bString\((?:error|cause|failure)\)/g),
    sample: "log.error(String(error))",
  },
  { what: "the console", detect: matching(/\bconsole\.\w+/g), sample: "console.log(1)" },
]

/** A paragraph at the top, or right below the imports (and, in the catalogue, the shapes of its data). */
const OPENING = /^(?:import [^\n]+\n|import [^"]+"[^"]+"\n|interface [^}]+\}\n|\n)*\/\*\*/

const VAGUE = /(?:^|\/)(?:utils?|helpers?|common|misc|index)(?:\/|\.ts$)|(?:Manager|Service|Helper)\.ts$/

describe("the import order", () => {
  test("every part imports only what stands before it", () => {
    expect(findings(wrongImports)).toEqual([])
  })
  test("every part has its place in the order", () => {
    expect(sources.map(({ path }) => partOf(path)).filter((part) => Number.isNaN(heightOf(part)))).toEqual([])
  })
  test("imports name their file", () => {
    expect(findings(withoutSuffix)).toEqual([])
  })
  test("the pure folders and the leaf words import only crypto", () => {
    expect(findings(impureImports, (path) => isPure(path) || isLeaf(path))).toEqual([])
  })
  test("the pure folders know no time, no network, no process", () => {
    expect(findings(impureWords, isPure)).toEqual([])
  })
  test("the detectors detect", () => {
    const of = (path: string, line: string) => sourceOf(path, line)
    expect(wrongImports(of("crypto/a.ts", 'import type { X } from "../mpc/run.ts"'))).toHaveLength(1)
    expect(wrongImports(of("store/a.ts", 'import { x } from "../link/link.ts"'))).toHaveLength(1)
    expect(wrongImports(of("link/a.ts", 'import type { Config } from "../config/config.ts"'))).toHaveLength(1)
    expect(wrongImports(of("bytes.ts", 'export { x } from "./crypto/tags.ts"'))).toHaveLength(1)
    expect(wrongImports(of("cli/a.ts", 'await import("../main.ts")'))).toHaveLength(1)
    expect(wrongImports(of("mpc/a.ts", 'import { x } from "../utils/x.ts"'))).toHaveLength(1)
    expect(wrongImports(of("cli/a.ts", 'import { x } from "../store/store.ts"'))).toEqual([])
    expect(withoutSuffix(of("cli/a.ts", 'import { x } from "./b"'))).toHaveLength(1)
    expect(impureImports(of("mpc/a.ts", 'import { x } from "node:fs"'))).toHaveLength(1)
    expect(impureImports(of("mpc/a.ts", 'import { x } from "bun:sqlite"'))).toHaveLength(1)
    expect(impureImports(of("bytes.ts", 'import { x } from "node:fs"'))).toHaveLength(1)
    expect(impureImports(of("intent/read.ts", 'import { x } from "@solana/codecs"'))).toHaveLength(1)
    expect(impureImports(of("intent/evm/a.ts", 'import { x } from "@solana/codecs"'))).toHaveLength(1)
    expect(impureWords(of("mpc/a.ts", "const now = Date.now()"))).toEqual(["Date"])
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the sample is source text
    expect(impureWords(of("mpc/a.ts", "// Date\nconst a = `${fetch(x)} Date` + 'Date'"))).toEqual(["fetch"])
  })
})

describe("words that have no place here", () => {
  for (const { what, detect, sample, among } of GATES) {
    test(what, () => {
      expect(detect(sourceOf("sample.ts", sample))).not.toEqual([])
      expect(findings(detect, among)).toEqual([])
    })
  }
  test("names that say nothing", () => {
    expect("utils/hex.ts").toMatch(VAGUE)
    expect("store/StoreManager.ts").toMatch(VAGUE)
    expect(sources.map(({ path }) => path).filter((path) => VAGUE.test(path))).toEqual([])
  })
  test("every file opens with what it owns", () => {
    expect(sources.filter(({ raw }) => !OPENING.test(raw)).map(({ path }) => path)).toEqual([])
  })
})

// ---- names ---------------------------------------------------------------------------------------------------------

/** Types that a file declares, by name. */
const typesOf = ({ code }: Source): readonly string[] =>
  [...code.matchAll(/^(?:export )?(?:declare )?(?:abstract )?(?:interface|type|class|enum) (\w+)/gm)].map(
    ([, name]) => name ?? "",
  )

/** Names that a file exports where it declares them. */
const exportsOf = ({ code }: Source): readonly string[] =>
  [
    ...code.matchAll(
      /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type|enum) (\w+)/gm,
    ),
  ].map(([, name]) => name ?? "")

const NAMED_IMPORT = /\bimport\s+(?:type\s+)?\{([^}]*)\}\s*from\s*"(\.[^"]+)"/g
const WHOLE_IMPORT = /\bimport\s+(?:type\s+)?\*\s+as\s+(\w+)\s+from\s*"(\.[^"]+)"/g
const LATE_IMPORT = /(?:\{([^{}]*)\}\s*=\s*\(?\s*await\s+)?\bimport\(\s*"(\.[^"]+)"\s*\)\)?(?:\.(\w+))?/g

/** `path name` of everything that a file imports by name. */
function importedBy({ path, raw }: Source): readonly string[] {
  const at = (specifier: string): string => normalize(join(dirname(path), specifier)).replace(/^\.\.\/src\//, "")
  const namesOf = (list: string): readonly string[] =>
    list.split(",").map(
      (item) =>
        item
          .replace(/^\s*type\s/, "")
          .split(/\sas\s|:/)[0]
          ?.trim() ?? "",
    )
  return [
    ...[...raw.matchAll(NAMED_IMPORT)].flatMap(([, list = "", from = ""]) =>
      namesOf(list).map((name) => `${at(from)} ${name}`),
    ),
    ...[...raw.matchAll(WHOLE_IMPORT)].flatMap(([, alias = "", from = ""]) =>
      [...raw.matchAll(new RegExp(`\\b${alias}\\.(\\w+)`, "g"))].map(([, name]) => `${at(from)} ${name}`),
    ),
    ...[...raw.matchAll(LATE_IMPORT)].flatMap(([, list, from = "", name = ""]) =>
      [...namesOf(list ?? ""), name].map((one) => `${at(from)} ${one}`),
    ),
  ]
}

const twice = (among: readonly Source[]): readonly string[] => {
  const homes = Map.groupBy(
    among.flatMap((source) => [...new Set(typesOf(source))].map((name) => ({ name, path: source.path }))),
    ({ name }) => name,
  )
  return [...homes]
    .filter(([, places]) => places.length > 1)
    .map(([name, places]) => `${name}: ${places.map(({ path }) => path).join(" ")}`)
}

const unimported = (among: readonly Source[], readers: readonly Source[]): readonly string[] => {
  const imported = new Set(readers.flatMap(importedBy))
  return among.flatMap((source) =>
    exportsOf(source)
      .filter((name) => !imported.has(`${source.path} ${name}`))
      .map((name) => `${source.path} ${name}`),
  )
}

/**
 * Exports that nothing but tests uses: no reader imports them, and their own file does not speak of them again. What its own file
 * uses may be exported for a test of that part.
 */
const onlyForTests = (among: readonly Source[], readers: readonly Source[]): readonly string[] => {
  const homes = new Map(among.map((source) => [source.path, source]))
  return unimported(among, readers).filter((found) => {
    const [path = "", name = ""] = found.split(" ")
    return [...(homes.get(path)?.code ?? "").matchAll(new RegExp(`\\b${name}\\b`, "g"))].length === 1
  })
}

/** Where files outside src/ stand, seen from src/. */
const others: readonly Source[] = ["test", "scripts"].flatMap((folder) =>
  [...new Bun.Glob("**/*.ts").scanSync({ cwd: join(root, "..", folder) })].map((path) =>
    sourceOf(`../${folder}/${path}`, readFileSync(join(root, "..", folder, path), "utf8")),
  ),
)

describe("names", () => {
  const sample = (path: string, raw: string) => sourceOf(path, raw)
  test("a type has one home, or a name that says whose it is", () => {
    expect(twice([sample("a.ts", "interface Row {}"), sample("b/c.ts", "export type Row = 1")])).toEqual([
      "Row: a.ts b/c.ts",
    ])
    expect(twice(sources)).toEqual([])
  })
  test("what is exported is imported by somebody", () => {
    const exported = [sample("a.ts", "export const one = 1\nexport interface Two {}\nexport function three() {}")]
    const readers = [
      sample("b.ts", 'import { one as uno, type Two } from "./a.ts"'),
      sample("c/d.ts", 'import * as a from "../a.ts"\na.three()'),
    ]
    expect(unimported(exported, [])).toHaveLength(3)
    expect(unimported(exported, readers.slice(0, 1))).toEqual(["a.ts three"])
    expect(unimported(exported, readers)).toEqual([])
    expect(
      unimported(exported, [
        sample("e.ts", 'const { one, Two } = await import("./a.ts")\n;(await import("./a.ts")).three'),
      ]),
    ).toEqual([])
    expect(unimported(sources, [...sources, ...others])).toEqual([])
  })
  test("what only tests use is in test/", () => {
    const exported = [sample("a.ts", "export const one = 1\nexport function two() {\n  return one\n}\n// two")]
    const readers = [sample("b.ts", 'import { two } from "./a.ts"')]
    expect(onlyForTests(exported, [])).toEqual(["a.ts two"])
    expect(onlyForTests(exported, readers)).toEqual([])
    const tools = others.filter(({ path }) => path.startsWith("../scripts/"))
    expect(onlyForTests(sources, [...sources, ...tools])).toEqual([])
  })
})

describe("tags", () => {
  test("no two are the same, and none could be another with more bytes behind it", () => {
    expect(new Set(TAGS).size).toBe(TAGS.length)
    expect(TAGS.every((tag) => /^[a-z0-9/]{1,32}$/.test(tag))).toBe(true)
    expect(TAGS.some((tag) => OT_HASH_TO_CURVE_DST.endsWith(`-${tag}-`))).toBe(false)
  })
})

describe("error codes", () => {
  const catalogue = Object.entries(codes)

  test("are well-formed, and none stands in two files", () => {
    const inFiles = sources
      .filter(({ path }) => path.startsWith("errors/") && !path.startsWith("errors/runbook/"))
      .flatMap(({ raw }) => [...raw.matchAll(/^ {2}"(E-[A-Z]{3}-\d{3})"/gm)].map(([, code]) => code ?? ""))
    expect(inFiles.length).toBe(new Set(inFiles).size)
    expect(new Set(inFiles)).toEqual(new Set(catalogue.map(([code]) => code)))
  })
  test("say what to do next, and end the program with a known code", () => {
    for (const [code, { next, exit, kind }] of catalogue) {
      expect(`${code} ${next}`).toMatch(/^E-\S+ \S.{7,}/)
      expect(next).not.toMatch(/[.;]$/)
      expect(Object.values(EXIT)).toContain(exit)
      expect(["fault", "input", "bug"]).toContain(kind)
    }
  })
  test("of class fault or bug have an entry in the runbook", () => {
    const without = catalogue.filter(([code, { kind }]) => kind !== "input" && !Object.hasOwn(RUNBOOK, code))
    expect(without.map(([code]) => code)).toEqual([])
    expect(Object.keys(RUNBOOK).length).toBeGreaterThan(100)
  })
  test("are all used: a code that nothing throws explains nothing", () => {
    const used = new Set(
      sources
        .filter(({ path }) => !path.startsWith("errors/"))
        .flatMap(({ raw }) => raw.match(/E-[A-Z]{3}-\d{3}/g) ?? []),
    )
    expect(catalogue.map(([code]) => code).filter((code) => !used.has(code))).toEqual([])
  })
})
