/**
 * A policy bundle as a file (bundle.md 2.1): the signatures of owners, and the signed document, which is TOML and is contained
 * unchanged. Owns the form of the file and of the [bundle] table; the configuration owns the meaning of the other tables.
 */
import { type Approver, problemOfSigned } from "../approvals/approver.ts"
import { armorSshsig, dearmorSshsig } from "../approvals/sshsig.ts"
import { APPROVER_NAME, isUnfit, type Unfit } from "../approvals/statement.ts"
import { type Bytes, equal, toHex, utf8 } from "../bytes.ts"
import { sha256 } from "../crypto/frame.ts"
import { parseToml } from "../settings/toml.ts"
import { isTree, type Tree } from "../settings/tree.ts"
import { parseWindow } from "./duration.ts"
import { type People, sshMembers } from "./people.ts"

/** The contents of the [bundle] table. */
export interface BundleTerms {
  readonly version: number
  /** The group of approvers that makes the next version. */
  readonly owners: string
  /** How many of them must sign it. */
  readonly min: number
  /** How long a change that loosens waits. */
  readonly delayMs: number
  /** How many of them lift a freeze. */
  readonly unfreezeMin: number
  /** The node stops following bundles. */
  readonly leave: boolean
}

export interface OwnerSignature {
  readonly owner: string
  /** Made by `ssh-keygen -Y sign -n cosigner-policy`, without its armor. */
  readonly blob: Bytes
}

export interface BundleDocument {
  readonly text: string
  /** SHA-256 of the text, hex. */
  readonly digest: string
  readonly terms: BundleTerms
  /** The tables of the policy; [bundle] with `delay_ms` and `unfreeze_min` filled in, for comparing. */
  readonly tree: Readonly<Tree>
}

export interface PolicyBundle {
  readonly document: BundleDocument
  readonly signatures: readonly OwnerSignature[]
}

const FIRST_LINE = "cosigner policy bundle v1"
const MARK = "document:"
const MAX_BUNDLE_BYTES = 2 * 1024 * 1024
const MAX_SIGNATURES = 64
const MAX_VERSION = 2 ** 31
const MAX_OWNERS = 256
const HOUR_MS = 3_600_000
const MAX_DELAY_MS = 31 * 24 * HOUR_MS

/** Keys of a document, each as its path from the top. All other keys are the host's own. */
export const POLICY_KEYS: readonly (readonly string[])[] = [
  ["embedded_risk_control_rules"],
  ["intent"],
  ["approvers"],
  ["approver_groups"],
  ["operation_approvals"],
  ["callback", "cb_server"],
  ["callback", "cb_server_v2"],
  ["callback", "ask_key_share_sign"],
  ["websocket", "waas_public_key"],
  ["danger_allow_unguarded_signing"],
  ["danger_allow_unhardened_process"],
  ["db", "danger_allow_readable_key_file"],
]
const OWN = ["bundle", "files"]

export function writeBundle({ document, signatures }: PolicyBundle): string {
  const signed = signatures.map(({ owner, blob }) => `signed: ${owner}\n${armorSshsig(blob)}`)
  return `${FIRST_LINE}\n${signed.join("")}${MARK}\n${document.text}`
}

export function readBundle(text: string): PolicyBundle | Unfit {
  if (text.length > MAX_BUNDLE_BYTES) return { problem: `longer than ${MAX_BUNDLE_BYTES} bytes` }
  if (!text.startsWith(`${FIRST_LINE}\n`)) return { problem: `its first line is not \`${FIRST_LINE}\`` }
  const at = text.indexOf(`\n${MARK}\n`)
  if (at < 0) return { problem: `it has no line \`${MARK}\`` }
  const signatures = readSignatures(text.slice(FIRST_LINE.length + 1, at + 1))
  if (isUnfit(signatures)) return signatures
  const document = readDocument(text.slice(at + MARK.length + 2))
  return isUnfit(document) ? document : { document, signatures }
}

function readSignatures(text: string): readonly OwnerSignature[] | Unfit {
  const parts = text.split(/^signed: /m)
  if (parts.shift() !== "") return { problem: "before its document stands something else than signatures" }
  if (parts.length > MAX_SIGNATURES) return { problem: `more than ${MAX_SIGNATURES} signatures` }
  const signatures: OwnerSignature[] = []
  for (const part of parts) {
    const end = part.indexOf("\n")
    const owner = part.slice(0, end)
    const blob = dearmorSshsig(part.slice(end + 1))
    if (end < 0 || !APPROVER_NAME.test(owner)) return { problem: "a signature names nobody" }
    if (isUnfit(blob)) return { problem: `the signature of ${owner}: ${blob.problem}` }
    signatures.push({ owner, blob })
  }
  return signatures
}

/** Throws E-CFG-002 for text that is not TOML. */
export function readDocument(text: string): BundleDocument | Unfit {
  if (!text.endsWith("\n")) return { problem: "its last line has no end" }
  const { tree } = parseToml(text, "the bundle's document")
  const strange = strangeKey(tree)
  if (strange !== undefined) return { problem: `${strange} is no part of a policy` }
  const terms = termsOf(tree["bundle"])
  if (isUnfit(terms)) return terms
  const files = tree["files"]
  if (files !== undefined && !(isTree(files) && Object.values(files).every((content) => typeof content === "string"))) {
    return { problem: "[files] is no table of texts" }
  }
  const bundle = { ...terms, delay_ms: terms.delayMs, unfreeze_min: terms.unfreezeMin }
  return { text, digest: toHex(sha256(utf8(text))), terms, tree: { ...tree, bundle } }
}

function strangeKey(tree: Readonly<Tree>): string | undefined {
  for (const [key, value] of Object.entries(tree)) {
    if (OWN.includes(key) || POLICY_KEYS.some((path) => path.length === 1 && path[0] === key)) continue
    if (!isTree(value)) return key
    const inner = Object.keys(value).find((name) => !POLICY_KEYS.some(([table, of]) => table === key && of === name))
    if (inner !== undefined || Object.keys(value).length === 0) return inner === undefined ? key : `${key}.${inner}`
  }
  return undefined
}

const TERMS = ["version", "owners", "min", "delay", "unfreeze_min", "leave"]

function termsOf(table: unknown): BundleTerms | Unfit {
  const bad = (key: string, expected: string): Unfit => ({ problem: `bundle.${key} is not ${expected}` })
  if (!isTree(table)) return { problem: "it has no table [bundle]" }
  const strange = Object.keys(table).find((key) => !TERMS.includes(key))
  if (strange !== undefined) return { problem: `bundle.${strange} is no key of it` }
  const { version, owners, min, delay, unfreeze_min: unfreeze = min, leave = false } = table
  if (!isCount(version, MAX_VERSION)) return bad("version", `a number from 1 to ${MAX_VERSION}`)
  if (typeof owners !== "string" || !APPROVER_NAME.test(owners)) return bad("owners", "the name of an approver group")
  if (!isCount(min, MAX_OWNERS)) return bad("min", `a number from 1 to ${MAX_OWNERS}`)
  if (!isCount(unfreeze, MAX_OWNERS)) return bad("unfreeze_min", `a number from 1 to ${MAX_OWNERS}`)
  const delayMs = typeof delay === "string" ? parseWindow(delay) : undefined
  if (delayMs === undefined || delayMs > MAX_DELAY_MS) return bad("delay", 'a duration up to 31d, such as "24h"')
  if (typeof leave !== "boolean") return bad("leave", "true or false")
  return { version, owners, min, delayMs, unfreezeMin: unfreeze, leave }
}

const isCount = (value: unknown, most: number): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 1 && value <= most

// ---- owners ------------------------------------------------------------------------------------------------------------

export interface SignedBy {
  /** Owners whose signature verifies, each once. */
  readonly owners: readonly string[]
  /** Why other signatures do not count. */
  readonly refused: readonly string[]
}

/** Which owners have signed the document. A name counts once, even if several signatures have it. */
export function signersOf(
  { document, signatures }: PolicyBundle,
  { owners }: Pick<BundleTerms, "owners">,
  people: People,
): SignedBy {
  const members = people.groups.get(owners) ?? []
  const bytes = utf8(document.text)
  const [signed, refused]: [Set<string>, string[]] = [new Set(), []]
  for (const { owner, blob } of signatures) {
    const approver: Approver | undefined = members.includes(owner) ? people.approvers.get(owner) : undefined
    if (approver === undefined) refused.push(`${owner} is no owner`)
    else if (signed.has(owner)) refused.push(`${owner} signed twice`)
    else {
      const problem = problemOfSigned(bytes, { kind: "ssh", blob }, approver, "cosigner-policy")
      if (problem === undefined) signed.add(owner)
      else refused.push(`${owner}: ${problem}`)
    }
  }
  return { owners: [...signed], refused }
}

/** Whether there are enough owners to make the next version: a policy that nobody can change is a mistake. */
export function problemOfOwners({ owners, min, unfreezeMin }: BundleTerms, people: People): string | undefined {
  const members = people.groups.get(owners)
  if (members === undefined) return `no approver group is called ${owners}`
  const withKey = sshMembers(people, owners) ?? []
  const without = members.find((name) => !withKey.includes(name))
  if (without !== undefined) return `an owner needs an SSH key: ${without}`
  const most = Math.max(min, unfreezeMin)
  return members.length < most ? `${owners} has ${members.length} members, and ${most} are to sign` : undefined
}

export const sameSignature = (a: OwnerSignature, b: OwnerSignature): boolean =>
  a.owner === b.owner && equal(a.blob, b.blob)
