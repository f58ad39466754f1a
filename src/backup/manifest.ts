/** The manifest that ends a backup: what is in it, for people, and for the check that nothing is missing. */
import { type Static, Type } from "@sinclair/typebox"
import { Value } from "@sinclair/typebox/value"
import { CosignerError } from "../errors.ts"

const Hex = Type.String({ pattern: "^(?:[0-9a-f]{2})*$", maxLength: 256 })
const Count = Type.Integer({ minimum: 0 })

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
    groups: Type.Array(
      Type.Object(
        {
          group_id: Type.String({ maxLength: 128 }),
          epoch_id: Hex,
          curve: Type.String({ maxLength: 32 }),
          status: Type.String({ maxLength: 32 }),
          threshold: Count,
        },
        { additionalProperties: false },
      ),
    ),
  },
  { additionalProperties: false },
)

export type Manifest = Static<typeof schema>
export type ManifestGroup = Manifest["groups"][number]

/** Throws E-BAK-013: the bytes are authentic, so what cannot be read here was written by another version. */
export function readManifest(path: string, body: Uint8Array): Manifest {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8"))
  } catch {
    throw new CosignerError("E-BAK-013", { path, what: "its manifest is not JSON" })
  }
  if (!Value.Check(schema, value)) throw new CosignerError("E-BAK-013", { path, what: "its manifest has another form" })
  return value
}
