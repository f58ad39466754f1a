/**
 * [[approvers]] and [[approver_groups]]: who may ask for tasks and approve them. A group name without a group, or with a member
 * that is not an approver, does not stop the start. The rule that needs it is an error until somebody corrects it (namesLint.ts).
 */
import { type StaticDecode, Type } from "@sinclair/typebox"
import type { Approver } from "../approvals/approver.ts"
import { fromBase64Url } from "../approvals/json.ts"
import { readSshPublicKey } from "../approvals/sshKey.ts"
import { APPROVER_NAME, isUnfit } from "../approvals/statement.ts"
import { MAX_CREDENTIAL_ID, type Passkey, readCoseKey } from "../approvals/webauthn.ts"
import { toHex } from "../bytes.ts"
import { entryOf, listOf, type Refused, refined, textThat, url } from "../settings/schema.ts"

export interface People {
  /** By name. */
  readonly approvers: ReadonlyMap<string, Approver>
  /** Names of members, by name of the group. */
  readonly groups: ReadonlyMap<string, readonly string[]>
}

/** What people signed about one task, each signature verified by this node. It holds nothing that WaaS only states. */
export interface Presented {
  /** Who asked for the task: without fraud at most one name. None of them counts as an approver. */
  readonly requestedBy: ReadonlySet<string>
  readonly approvedBy: ReadonlySet<string>
  readonly rejectedBy: ReadonlySet<string>
}

export const NOBODY: Presented = { requestedBy: new Set(), approvedBy: new Set(), rejectedBy: new Set() }

const MAX_APPROVERS = 256

const name = (example: string, description: string) =>
  textThat(
    (text) => APPROVER_NAME.test(text),
    { name: "name of a person", expected: "1 to 64 of a-z, 0-9, dot, dash and underscore", example },
    description,
  )

const approver = entryOf(
  "A person. Give `key`, or the four keys of a passkey, or both; a signature by either counts.",
  {
    name: name("alice", "Unique in the list; statements and groups name it."),
    key: Type.Optional(
      textThat(
        (text) => !isUnfit(readSshPublicKey(text)),
        {
          name: "public key of OpenSSH",
          expected:
            "a line of a .pub file: ssh-ed25519, ecdsa-sha2-nistp256, or one of the two that live in a security key",
          example: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBI/EkN/mHBgq4Z81bGW0iDEfnPm2cOyaRMgvc1HdV0L alice",
        },
        "The line of a .pub file of ssh-keygen.",
      ),
    ),
    credential_id: Type.Optional(
      textThat(
        (text) => (fromBase64Url(text)?.length ?? MAX_CREDENTIAL_ID + 1) <= MAX_CREDENTIAL_ID,
        { name: "credential id", expected: "base64url without padding", example: "Y3JlZGVudGlhbA" },
        "For a passkey: its credential id.",
      ),
    ),
    public_key: Type.Optional(
      textThat(
        (text) => passkeyOf(text) !== undefined,
        {
          name: "COSE key",
          expected: "a COSE key of ES256 or EdDSA, in base64url without padding",
          example: "pAEBAycgBiFYIBI_EkN_mHBgq4Z81bGW0iDEfnPm2cOyaRMgvc1HdV0L",
        },
        "For a passkey: its COSE key.",
      ),
    ),
    rp_id: Type.Optional(
      textThat(
        (text) => /^[a-z0-9.-]{1,253}$/.test(text),
        { name: "relying party", expected: "a host name in lower case", example: "approvals.example.com" },
        "For a passkey: the relying party that it was made for.",
      ),
    ),
    origin: Type.Optional(
      url(
        { schemes: ["https", "http"], credentials: false },
        "https://approvals.example.com",
        "For a passkey: the only origin at which it may sign.",
      ),
    ),
  },
)

const PASSKEY_KEYS = ["credential_id", "public_key", "rp_id", "origin"] as const

function passkeyOf(text: string): Passkey["publicKey"] | undefined {
  const bytes = fromBase64Url(text)
  const key = bytes && readCoseKey(bytes)
  return key === undefined || isUnfit(key) ? undefined : key
}

type WrittenApprover = Readonly<StaticDecode<typeof approver>>

function approverProblems(list: readonly WrittenApprover[]): readonly Refused[] {
  const keys = list.map(pointsOf)
  return list.flatMap((one, i): readonly Refused[] => {
    const refused = (key: string, expected: string, got: string): readonly Refused[] => [
      { at: [i, key], expected, got },
    ]
    if (list.findIndex((other) => other.name === one.name) < i)
      return refused("name", "a name of its own for each approver", one.name)
    const said = PASSKEY_KEYS.filter((key) => one[key] !== undefined)
    if (said.length > 0 ? said.length < PASSKEY_KEYS.length : one.key === undefined)
      return refused(
        PASSKEY_KEYS.find((key) => one[key] === undefined) ?? "key",
        `a public key, or all of ${PASSKEY_KEYS.join(", ")}`,
        "nothing",
      )
    if (one.origin !== undefined && new URL(one.origin).origin !== one.origin)
      return refused("origin", "scheme, host and port alone, such as https://approvals.example.com", one.origin)
    // One person under two names would count twice.
    const same = keys.findIndex((others) => others.some((point) => keys[i]?.includes(point)))
    return same >= 0 && same < i
      ? refused("name", "keys of nobody else", `${one.name}, with a key of ${list[same]?.name}`)
      : []
  })
}

/** Equal keys are the same person, whatever their comments, and whether written as an SSH key or as a passkey. */
const pointsOf = (one: WrittenApprover): readonly string[] =>
  (approverOf(one)?.keys ?? []).map((key) => toHex(key.kind === "ssh" ? key.ssh.key : key.passkey.publicKey.key))

export const approversSchema = refined(
  listOf(approver, {
    description: "People who may ask for tasks and approve them, each with a signature that this node verifies itself.",
    expected: `a list of at most ${MAX_APPROVERS} tables`,
    maxItems: MAX_APPROVERS,
  }),
  approverProblems,
)

const group = entryOf("Approvers who count together.", {
  name: name("treasury", "Unique in the list; `require` entries name it."),
  members: Type.Array(name("alice", "A name of [[approvers]]."), {
    minItems: 1,
    maxItems: MAX_APPROVERS,
    uniqueItems: true,
    example: ["alice", "bob", "carol"],
    description: "Names of [[approvers]].",
    expected: "a list of different names",
  }),
})

export const approverGroupsSchema = refined(
  listOf(group, {
    description: "Approvers who count together: a `require` entry demands a number of approvals from a group.",
    expected: `a list of at most ${MAX_APPROVERS} tables`,
    maxItems: MAX_APPROVERS,
  }),
  (list: readonly StaticDecode<typeof group>[]): readonly Refused[] =>
    list.flatMap(({ name: own }, i) =>
      list.findIndex((other) => other.name === own) < i
        ? [{ at: [i, "name"], expected: "a name of its own for each group", got: own }]
        : [],
    ),
)

/** The people of tables that fit their schemas. */
export function peopleIn(
  approvers: readonly WrittenApprover[],
  groups: readonly { readonly name: string; readonly members: readonly string[] }[],
): People {
  return {
    approvers: new Map(
      approvers.flatMap((one) => {
        const read = approverOf(one)
        return read === undefined ? [] : [[one.name, read] as const]
      }),
    ),
    groups: new Map(groups.map(({ name: own, members }) => [own, members])),
  }
}

/** Members who can sign with an SSH key, which orders and bundles need; undefined: there is no such group. */
export const sshMembers = ({ approvers, groups }: People, group: string): readonly string[] | undefined =>
  groups.get(group)?.filter((member) => approvers.get(member)?.keys.some(({ kind }) => kind === "ssh"))

export const NO_PEOPLE: People = peopleIn([], [])

function approverOf({
  name: own,
  key,
  credential_id,
  public_key,
  rp_id,
  origin,
}: WrittenApprover): Approver | undefined {
  const ssh = key === undefined ? undefined : readSshPublicKey(key)
  const publicKey = passkeyOf(public_key ?? "")
  const credentialId = fromBase64Url(credential_id)
  const passkey =
    publicKey === undefined || credentialId === undefined || rp_id === undefined || origin === undefined
      ? undefined
      : { credentialId, publicKey, rpId: rp_id, origin }
  const keys = [
    ...(ssh === undefined || isUnfit(ssh) ? [] : [{ kind: "ssh", ssh } as const]),
    ...(passkey === undefined ? [] : [{ kind: "passkey", passkey } as const]),
  ]
  return keys.length === 0 ? undefined : { name: own, keys }
}
