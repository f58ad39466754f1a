/** The manifest that ends a backup: its contents, for people, and for the check that nothing is missing. */
import { type Static, Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { type Bytes, utf8 } from "../bytes.ts"
import { CosignerError } from "../errors.ts"

const Hex = Type.String({ pattern: "^(?:[0-9a-f]{2})*$", maxLength: 256 })
const Count = Type.Integer({ minimum: 0 })

const groupSchema = Type.Object(
  {
    group_id: Type.String({ maxLength: 128 }),
    epoch_id: Hex,
    curve: Type.String({ maxLength: 32 }),
    status: Type.String({ maxLength: 32 }),
    threshold: Count,
  },
  { additionalProperties: false },
)

/** Without the list of groups, which is at its end: `"groups":[...]`. */
const schema = Type.Object(
  {
    /** Program version that wrote it. */
    program: Type.String({ maxLength: 64 }),
    created_ms: Count,
    node_id: Type.String({ maxLength: 128 }),
    /** Commits of the database when it was copied. */
    generation: Count,
    lineage: Count,
    boot: Count,
    /** Whether groups were left out on request. */
    chosen_groups: Type.Boolean(),
    /** Records before this one. */
    records: Count,
  },
  { additionalProperties: false },
)

export type ManifestGroup = Static<typeof groupSchema>

export interface Manifest extends Static<typeof schema> {
  readonly groups: GroupList
}

/** The text of a group in the file; equal groups have equal text. */
export const groupJson = ({ group_id, epoch_id, curve, status, threshold }: ManifestGroup): string =>
  JSON.stringify({ group_id, epoch_id, curve, status, threshold })

/**
 * The entries of a manifest for all groups, as the JSON of the file. This is the only part of a backup that grows with the
 * number of groups, and it would be several times as large as objects.
 */
export class GroupList implements Iterable<ManifestGroup> {
  #json: Bytes
  #length: number
  #size: number

  /** Takes ownership of this JSON: objects with a comma between each two. */
  constructor(json: Bytes = new Uint8Array(0)) {
    this.#json = json
    this.#length = json.length
    this.#size = 0
    for (const _ of elementsOf(json)) this.#size++
  }

  get size(): number {
    return this.#size
  }

  /** The text between the brackets; the list's own memory. */
  get json(): Uint8Array {
    return this.#json.subarray(0, this.#length)
  }

  add(group: ManifestGroup): void {
    const added = utf8((this.#size === 0 ? "" : ",") + groupJson(group))
    const end = this.#length + added.length
    if (end > this.#json.length) {
      const grown = new Uint8Array(Math.max(end, 2 * this.#json.length))
      grown.set(this.json)
      this.#json = grown
    }
    this.#json.set(added, this.#length)
    this.#length = end
    this.#size++
  }

  /** Throws SyntaxError at the first invalid entry. */
  *[Symbol.iterator](): Generator<ManifestGroup, void> {
    const text = new TextDecoder()
    for (const [from, to] of elementsOf(this.json)) {
      const group: unknown = JSON.parse(text.decode(this.#json.subarray(from, to)))
      if (!Value.Check(groupSchema, group)) throw new SyntaxError("not a group")
      yield group
    }
  }

  toJSON(): readonly ManifestGroup[] {
    return [...this]
  }
}

const [CLOSE, QUOTE, ESCAPE] = utf8('}"\\')

/** Where each object begins and ends. Objects contain no objects, so each ends at the first brace outside a string. */
function* elementsOf(json: Uint8Array): Generator<readonly [number, number], void> {
  let from = 0
  let isInString = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (byte === ESCAPE) i++
    else if (byte === QUOTE) isInString = !isInString
    else if (byte === CLOSE && !isInString) {
      yield [from, i + 1]
      from = i + 2
    }
  }
}

const LIST = ',"groups":['
const TAIL = "]}"

/** The bytes of a manifest, in the parts that there are. */
export const manifestParts = ({ groups, ...rest }: Manifest): readonly Uint8Array[] => [
  utf8(JSON.stringify(rest).slice(0, -1) + LIST),
  groups.json,
  utf8(TAIL),
]

/**
 * Takes ownership of the bytes. The reader of the records must check that the groups are those of the backup. Throws E-BAK-013: the
 * bytes are authentic, so another version wrote what cannot be read here.
 */
export function readManifest(path: string, body: Bytes): Manifest {
  const refused = () => new CosignerError("E-BAK-013", { path, what: "its manifest has another form" })
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const at = bytes.indexOf(LIST)
  const from = at + LIST.length
  const to = bytes.length - TAIL.length
  if (at < 0 || to < from || bytes.toString("latin1", to) !== TAIL) throw refused()
  let rest: unknown
  try {
    rest = JSON.parse(`${bytes.toString("utf8", 0, at)}}`)
  } catch {
    throw refused()
  }
  if (!Value.Check(schema, rest)) throw refused()
  return { ...rest, groups: new GroupList(body.subarray(from, to)) }
}
