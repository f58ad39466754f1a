/**
 * The policy that a node has in force: its own file's, or that of the bundle that it follows. A new version that the owners have
 * signed comes into force at once or after their delay; any attempt to evade this is refused (bundle.md 2.3).
 */
import { isUnfit } from "../approvals/statement.ts"
import { CosignerError } from "../errors.ts"
import {
  type BundleDocument,
  type PolicyBundle,
  problemOfOwners,
  readDocument,
  type SignedBy,
  signersOf,
} from "../policy/bundle.ts"
import { policyChanges } from "../policy/bundleDiff.ts"
import { parseWindow } from "../policy/duration.ts"
import type { AdoptedBundle, Policies, PolicyRecord } from "../store/policies.ts"
import type { Config } from "./config.ts"
import type { Loaded } from "./load.ts"
import { checkStart } from "./startup.ts"

/** A configuration with the policy of that document. */
type LoadWith = (document: BundleDocument) => Loaded

export interface PolicyInForce {
  /** The configuration with the policy in force. */
  readonly loaded: Loaded
  /** The configuration with the policy that waits, whose tighter parts count already. */
  readonly waiting: Loaded | undefined
  /** For the log: the result for the bundle in the file; undefined if nothing has changed. */
  readonly told: string | undefined
}

/** Factor for a recovery: owners who still have their keys must have time to see and veto it. */
const RECOVERY_TIMES = 7
const LEAST_RECOVERY_MS = 7 * 86_400_000

/** Throws E-POL-003 to -006, and the errors of loading a document. */
export function policyInForce(policies: Policies, loaded: Loaded, loadWith: LoadWith, nowMs: number): PolicyInForce {
  const told = takeBundle(policies, loaded, loadWith, nowMs)
  const record = policies.followed
  if (record === undefined) return { loaded, waiting: undefined, told }
  const { active, waiting } = record
  return {
    loaded: loadWith(documentOf(active)),
    waiting: waiting === undefined ? undefined : loadWith(documentOf(waiting)),
    told,
  }
}

interface ConfigsInForce {
  readonly inForce: Config
  /** The configuration of a version that waits. */
  readonly waiting: Config | undefined
}

/** What counts if no node runs: what the database follows and what waits, or otherwise the file's own policy. */
export function configsInForce(
  { followed }: Pick<Policies, "followed">,
  own: Config,
  loadWith: LoadWith,
): ConfigsInForce {
  if (followed === undefined) return { inForce: own, waiting: undefined }
  const configOf = (bundle: AdoptedBundle): Config => loadWith(documentOf(bundle)).config
  return { inForce: configOf(followed.active), waiting: followed.waiting && configOf(followed.waiting) }
}

export function documentOf({ document }: Pick<AdoptedBundle, "document">): BundleDocument {
  const read = readDocument(document)
  if (isUnfit(read)) throw new CosignerError("E-POL-001", { file: "the adopted bundle", problem: read.problem })
  return read
}

function takeBundle(policies: Policies, loaded: Loaded, loadWith: LoadWith, nowMs: number): string | undefined {
  const { bundle } = loaded
  const { followed, record } = policies
  if (bundle === undefined) {
    if (followed !== undefined) throw new CosignerError("E-POL-003", { version: followed.active.version })
    return undefined
  }
  const { version } = bundle.document.terms
  if (followed !== undefined) {
    const known = [followed.active, followed.waiting].find((one) => one?.version === version)
    if (known !== undefined) return requireSame(bundle, known)
    if (isVetoed(followed, bundle))
      return `version ${version} of the policy was vetoed; version ${followed.active.version} stays`
  }
  if (record?.hasLeft === true && record.active.digest === bundle.document.digest) {
    throw new CosignerError("E-POL-011", { version })
  }
  const highest = record?.highest ?? 0
  if (version <= highest) throw new CosignerError("E-POL-004", { version, highest, isOther: version === highest })
  return followed === undefined
    ? adoptFirst(policies, bundle, loaded, nowMs)
    : takeNext(policies, bundle, documentOf(followed.active), loadWith, nowMs)
}

function requireSame({ document }: PolicyBundle, { version, digest }: AdoptedBundle): undefined {
  if (document.digest !== digest) throw new CosignerError("E-POL-004", { version, highest: version, isOther: true })
}

const isVetoed = ({ history }: PolicyRecord, { document }: PolicyBundle): boolean =>
  history.some(({ digest, fate }) => digest === document.digest && fate === "vetoed")

/** The host decides to follow bundles, under the terms that its own file states. */
function adoptFirst(policies: Policies, bundle: PolicyBundle, loaded: Loaded, nowMs: number): string {
  const { document } = bundle
  const { terms } = document
  const { owners, min, delay } = loaded.config.policy
  const other = (what: string) => new CosignerError("E-POL-006", { what })
  if (owners !== terms.owners) throw other(`owners is ${owners ?? "not stated"} and the bundle says ${terms.owners}`)
  if (min !== terms.min) throw other(`min is ${min ?? "not stated"} and the bundle says ${terms.min}`)
  if (parseWindow(delay ?? "") !== terms.delayMs)
    throw other(`delay is ${delay ?? "not stated"} and the bundle says another`)
  if (terms.leave) throw other("it says leave = true")
  const { people } = loaded.config.embedded_risk_control_rules.names
  const signed = requireOwners(bundle, document, people)
  requireUsable(document, loaded)
  policies.adopt(adoptedOf(document, signed.owners), nowMs)
  return `version ${terms.version} of the policy is in force, the first of a bundle`
}

function takeNext(
  policies: Policies,
  bundle: PolicyBundle,
  before: BundleDocument,
  loadWith: LoadWith,
  nowMs: number,
): string {
  const { document } = bundle
  const { version } = document.terms
  const signed = requireOwners(bundle, before, loadWith(before).config.embedded_risk_control_rules.names.people)
  requireUsable(document, loadWith(document))
  const loosening = policyChanges(before.tree, document.tree).filter(({ tendency }) => tendency === "loosens")
  if (loosening.length === 0) {
    policies.adopt(adoptedOf(document, signed.owners), nowMs)
    return `version ${version} of the policy is in force: it loosens nothing`
  }
  const { end } = policies.wait(adoptedOf(document, signed.owners), before.terms.delayMs, false, nowMs)
  const first = loosening.slice(0, 4).map(({ where }) => where)
  return `version ${version} of the policy waits until ${new Date(end.atMs).toISOString()} at the earliest, because it loosens ${first.join(", ")}; what it tightens counts already`
}

/** For owners without their keys: the host makes a version that waits far longer, and that every present owner can veto. */
export function recoverPolicy(policies: Policies, bundle: PolicyBundle, loadWith: LoadWith, nowMs: number): string {
  const { followed } = policies
  const { document } = bundle
  const { version } = document.terms
  if (followed === undefined) throw new CosignerError("E-POL-009", {})
  if (version <= followed.highest) {
    throw new CosignerError("E-POL-004", { version, highest: followed.highest, isOther: version === followed.highest })
  }
  const loaded = loadWith(document)
  const signed = requireOwners(bundle, document, loaded.config.embedded_risk_control_rules.names.people)
  requireUsable(document, loaded)
  const delayMs = Math.max(LEAST_RECOVERY_MS, RECOVERY_TIMES * documentOf(followed.active).terms.delayMs)
  const { end } = policies.wait(adoptedOf(document, signed.owners), delayMs, true, nowMs)
  return `version ${version} of the policy waits until ${new Date(end.atMs).toISOString()} at the earliest, as a recovery of its owners`
}

const adoptedOf = ({ terms, digest, text }: BundleDocument, owners: readonly string[]): AdoptedBundle => ({
  version: terms.version,
  digest,
  document: text,
  owners,
})

/** It must be signed by as many owners as `by` demands, from its people. Throws E-POL-005. */
function requireOwners(bundle: PolicyBundle, by: BundleDocument, people: Parameters<typeof signersOf>[2]): SignedBy {
  const signed = signersOf(bundle, by.terms, people)
  const { min } = by.terms
  if (signed.owners.length >= min) return signed
  throw new CosignerError("E-POL-005", { signed: signed.owners, min, refused: signed.refused })
}

/** A node must be able to start with it, and its owners must be able to change it. */
function requireUsable({ terms }: BundleDocument, { config }: Loaded): void {
  const [problem] = checkStart(config).problems
  if (problem !== undefined) throw problem
  const unowned = terms.leave ? undefined : problemOfOwners(terms, config.embedded_risk_control_rules.names.people)
  if (unowned !== undefined) throw new CosignerError("E-POL-001", { file: "the bundle", problem: unowned })
}
