/** The bill of materials (CycloneDX 1.5, JSON) from package-lock.json: what is in the binary, and what only builds it. */
import { createHash } from "node:crypto"

interface Locked {
  readonly version: string
  readonly integrity?: string
  readonly license?: string
  readonly dev?: boolean
  /** Wanted by a development tool, and as an option of something else. */
  readonly devOptional?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
}

export interface Lock {
  readonly name: string
  readonly version: string
  readonly packages: Readonly<Record<string, Locked>>
}

/** Of the tools that build, the one that ends up inside the binary. */
const RUNTIME = "bun"

export function sbom(lock: Lock, time: Date): object {
  const packages = packagesOf(lock)
  const components = packages.map(({ name, locked }) => component(name, locked)).sort(byRef)
  const root = {
    "bom-ref": `${lock.name}@${lock.version}`,
    type: "application",
    name: lock.name,
    version: lock.version,
  }
  const body = {
    metadata: {
      timestamp: time.toISOString(),
      component: { ...root, licenses: licensesOf(lock.packages[""]?.license) },
    },
    components,
    dependencies: [
      { ref: root["bom-ref"], dependsOn: refsOf(lock, "", lock.packages[""]) },
      ...packages.map(({ ref, places }) => ({
        ref,
        dependsOn: [...new Set(places.flatMap(([path, entry]) => refsOf(lock, path, entry)))].sort(),
      })),
    ].sort((a, b) => (a.ref < b.ref ? -1 : 1)),
  }
  return { bomFormat: "CycloneDX", specVersion: "1.5", serialNumber: serialOf(body), version: 1, ...body }
}

/** One version of one package, wherever it is installed: dependants that disagree with others get copies of their own. */
interface Package {
  readonly ref: string
  readonly name: string
  /** The copy that the binary holds, if it holds one. */
  readonly locked: Locked
  readonly places: readonly (readonly [path: string, locked: Locked])[]
}

function packagesOf(lock: Lock): readonly Package[] {
  const found = new Map<string, Package>()
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (path === "") continue
    const name = nameOf(path)
    const ref = purl(name, entry.version)
    const known = found.get(ref)
    const locked = known === undefined || isToolOnly(known.locked) ? entry : known.locked
    found.set(ref, { ref, name, locked, places: [...(known?.places ?? []), [path, entry]] })
  }
  return [...found.values()]
}

const isToolOnly = ({ dev, devOptional }: Locked): boolean => dev === true || devOptional === true

interface Component {
  readonly "bom-ref": string
  readonly type: "framework" | "library"
  readonly name: string
  readonly version: string
  readonly scope: "required" | "excluded"
  readonly hashes?: readonly object[]
  readonly licenses: readonly object[]
  readonly purl: string
}
const byRef = (a: Component, b: Component): number => (a["bom-ref"] < b["bom-ref"] ? -1 : 1)

/** `node_modules/a/node_modules/@b/c` is @b/c. */
const nameOf = (path: string): string => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length)

const purl = (name: string, version: string): string => `pkg:npm/${name.replace(/^@/, "%40")}@${version}`

function component(name: string, locked: Locked): Component {
  const { version, integrity, license } = locked
  const isTool = isToolOnly(locked) && name !== RUNTIME
  const ref = purl(name, version)
  return {
    "bom-ref": ref,
    type: name === RUNTIME ? "framework" : "library",
    name,
    version,
    // required is in the binary, excluded only makes it
    scope: isTool ? "excluded" : "required",
    ...(integrity === undefined ? {} : { hashes: hashesOf(integrity) }),
    licenses: licensesOf(license),
    purl: ref,
  }
}

const ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ["sha512", "SHA-512"],
  ["sha1", "SHA-1"],
])

const hashesOf = (integrity: string): readonly object[] =>
  integrity.split(" ").map((word) => {
    const dash = word.indexOf("-")
    const alg = ALGORITHMS.get(word.slice(0, dash))
    if (alg === undefined) throw new Error(`an integrity of an unknown kind: ${word}`)
    return { alg, content: Buffer.from(word.slice(dash + 1), "base64").toString("hex") }
  })

const licensesOf = (license: string | undefined): readonly object[] =>
  license === undefined
    ? []
    : / (?:OR|AND|WITH) /.test(license)
      ? [{ expression: license }]
      : [{ license: { id: license } }]

/** Where a package finds what it depends on: in its own node_modules, or in the nearest above. */
function refsOf(lock: Lock, path: string, of: Locked | undefined): readonly string[] {
  const names = Object.keys(of?.dependencies ?? {})
  const found = names.flatMap((name) => {
    for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
      const locked = lock.packages[at === "" ? `node_modules/${name}` : `${at}/node_modules/${name}`]
      if (locked !== undefined) return [purl(name, locked.version)]
      if (at === "") return []
    }
  })
  return [...new Set(found)].sort()
}

/** A UUID of the content (RFC 9562, version 8): the same bill has the same number. */
function serialOf(body: object): string {
  const hash = createHash("sha256").update(JSON.stringify(body)).digest()
  hash[6] = ((hash[6] ?? 0) & 0x0f) | 0x80
  hash[8] = ((hash[8] ?? 0) & 0x3f) | 0x80
  const hex = hash.toString("hex")
  return `urn:uuid:${[hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join("-")}`
}
