/** AccountPermissionUpdateContract: who may sign for an account from now on, key by key. */
import { toHex } from "../../bytes.ts"
import { excerpt, refuse } from "../problem.ts"
import type { SetAuthority } from "../reading.ts"
import { addressOf } from "./address.ts"
import type { ProtobufFields } from "./protobuf.ts"

export function readPermissions(value: ProtobufFields, from: string): readonly SetAuthority[] {
  const [owner, witness] = [value.message("owner"), value.message("witness")]
  return [
    ...(owner === undefined ? [] : readPermission(owner, from, "owner")),
    ...(witness === undefined ? [] : readPermission(witness, from, "witness")),
    ...value.messages("actives").flatMap((active, i) => readPermission(active, from, `active ${i + 2}`)),
  ]
}

function readPermission(permission: ProtobufFields, from: string, what: string): readonly SetAuthority[] {
  const keys = permission.messages("keys")
  if (keys.length === 0) return refuse("E-INT-128", what, "a permission without keys")
  const threshold = permission.int("threshold")
  return keys.map((key) => ({
    kind: "set_authority",
    from,
    role: `${what} permission${named(permission)}, weight ${key.int("weight")}`,
    action: "set",
    authority: addressOf(key.bytes("address"), `a key of ${what}`),
    threshold,
  }))
}

/** Anybody can choose the name; the operations are a bit for each type of contract. */
function named(permission: ProtobufFields): string {
  const [name, operations] = [permission.bytes("permission_name"), permission.bytes("operations")]
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(name)
  return `${name.length === 0 ? "" : ` ${excerpt(text)}`}${operations.length === 0 ? "" : ` for ${toHex(operations)}`}`
}
