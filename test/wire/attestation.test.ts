/** Attestations of addresses: what a node signs is every field of it, and nobody else's key signs for it. */
import { expect, test } from "bun:test"
import { utf8 } from "../../src/bytes.ts"
import { identityOf } from "../../src/mpc/envelope.ts"
import { attestAddress, isAttested, readAttestation } from "../../src/wire/attestation.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"

const identity = identityOf(new Uint8Array(32).fill(3))
const other = identityOf(new Uint8Array(32).fill(4))
const FIELDS = {
  group_id: "OoQGkknsPdPjLCmSuuSf",
  epoch_id: "ab".repeat(32),
  root_key: "xpub661MyMw",
  path: "m/44/60/0/0/5",
  encoding: "ENCODING_DEFAULT",
  chain: "eip155:1",
  address: "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045",
}
const attestation = attestAddress(identity, FIELDS)
const written = (value: unknown) => utf8(JSON.stringify(value))

test("what a node attested is read, and verifies under its node id", () => {
  expect(readAttestation(written(attestation))).toEqual(attestation)
  expect(attestation.node_id).toBe(nodeIdOf(identity.party))
  expect(isAttested(attestation)).toBe(true)
})

test("no field can be changed, moved into its neighbour, or signed for by another node", () => {
  for (const name of Object.keys(FIELDS) as (keyof typeof FIELDS)[])
    expect([name, isAttested({ ...attestation, [name]: `${attestation[name]}0` })]).toEqual([name, false])
  const moved = { ...attestation, encoding: "ENCODING_DEFAUL", chain: "Teip155:1" }
  expect(isAttested(moved)).toBe(false)
  expect(isAttested({ ...attestation, node_id: nodeIdOf(other.party) })).toBe(false)
  expect(isAttested({ ...attestation, signature: attestAddress(other, FIELDS).signature })).toBe(false)
  expect(isAttested({ ...attestation, node_id: "nobody" })).toBe(false)
})

test.each([
  ["a field more", { ...attestation, more: 1 }],
  ["a field less", { ...attestation, path: undefined }],
  ["another version", { ...attestation, version: 2 }],
  ["spaces", { ...attestation, path: "m / 44" }],
  ["a signature that is none", { ...attestation, signature: "ab" }],
  ["no object", []],
  ["what is too long", { ...attestation, address: "a".repeat(5000) }],
])("%s is no attestation", (_, value) => {
  expect(() => readAttestation(written(value))).toThrow()
})
