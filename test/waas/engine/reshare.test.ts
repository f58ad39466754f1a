/** Which groups a reshare may start from. */
import { expect, test } from "bun:test"
import { reshareFrom } from "../../../src/waas/engine/reshare.ts"
import type { HolderGroup } from "../../../src/waas/store/model.ts"
import { VERSIONS } from "../../../src/wire/versions.ts"

const group = (status: HolderGroup["status"]): HolderGroup => ({
  groupId: "source",
  vaultId: "v",
  type: "MainGroup",
  status,
  threshold: 2,
  holders: ["a", "b"].map((nodeId) => ({ name: nodeId, type: "API", nodeId, signer: true })),
  shareGroups: [{ shareGroupId: "s", curve: "ED25519", rootPubkey: "cpub" }],
  createdMs: 1,
})
const wish = { type: "KeyReshare", sourceGroupId: "source", dealers: undefined, allowSharedNodes: true } as const
const candidates = { online: () => true, versions: () => ({ ...VERSIONS, link: 3 }) }

test("a group that is not Valid deals no shares again, though it has keys", () => {
  expect(reshareFrom(wish, group("Valid"), [group("Valid")], candidates).dealers).toEqual(["a", "b"])
  for (const status of ["Unavailable", "New"] as const) {
    const source = group(status)
    expect(() => reshareFrom(wish, source, [source], candidates)).toThrow(`the source group is ${status}, not Valid`)
  }
})
