/** `cosigner policy bundle make|sign|verify`: a policy as a file that its owners sign (bundle.md 2). Needs no node. */
import { dearmorSshsig } from "../approvals/sshsig.ts"
import { isUnfit } from "../approvals/statement.ts"
import { type Bytes, utf8 } from "../bytes.ts"
import { checkConfig } from "../config/load.ts"
import { readBundleFile } from "../config/policyBundle.ts"
import { checkStart } from "../config/startup.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError, errorText } from "../errors.ts"
import { replaceFile, writeNew } from "../files.ts"
import {
  type BundleDocument,
  type OwnerSignature,
  problemOfOwners,
  readDocument,
  sameSignature,
  signersOf,
  writeBundle,
} from "../policy/bundle.ts"
import { lintPolicy } from "../policy/lint.ts"
import type { People } from "../policy/people.ts"
import { readSource } from "../settings/file.ts"
import { isTree, type Tree } from "../settings/tree.ts"
import { openSigner, SIGNING_WAYS, type SigningWay } from "../signers/open.ts"
import { choice, command, flag, refuse, required, value } from "./command.ts"
import { textOfFile } from "./payloads.ts"
import { written } from "./written.ts"

const READABLE = 0o644

export const make = command({
  summary: "Make a policy bundle of a draft, for its owners to sign",
  details: [
    "DRAFT is TOML: [bundle] with version, owners, min and delay, and the tables of the policy as cosigner.toml has them: the rules,",
    "[intent], [[approvers]], [[approver_groups]], callback servers, websocket.waas_public_key and danger keys. Keys and ABIs that it",
    "names are read and put into the bundle. The new bundle has no signature yet.",
  ].join("\n"),
  args: { draft: required("draft", "the policy, TOML") },
  options: { out: value("--out <file>", "where the bundle goes; never overwritten") },
  examples: [["cosigner policy bundle make policy.toml --out policy.bundle", "then each owner signs it"]],
  run: async ({ args, options, out }) => {
    const file = options.out ?? refuse("--out", "a file", "nothing")
    const document = documentIn(withFiles(readSource(args.draft, true), args.draft), args.draft)
    requireFit(document, args.draft)
    written(file, () => writeNew(file, writeBundle({ document, signatures: [] }), READABLE))
    const { version, owners, min } = document.terms
    out.result({ file, version, document: document.digest }, [
      `Bundle: ${file}, version ${version}, document ${document.digest}`,
      `To be signed by ${min} of ${owners}: cosigner policy bundle sign ${file} --as NAME`,
    ])
    return EXIT.ok
  },
})

export const sign = command({
  summary: "Add the signature of an owner to a policy bundle",
  details: [
    "With --key it signs here. With neither --key nor --signature it prints only the document, which is to be signed:",
    "`cosigner policy bundle sign FILE --as NAME | ssh-keygen -Y sign -n cosigner-policy -f KEY > FILE.sig`",
    "Read the document first, and compare it with the policy in force: `cosigner policy diff`.",
  ].join("\n"),
  args: { file: required("file", "the bundle") },
  options: {
    as: value("--as <name>", "the owner, by its name in [[approvers]]"),
    key: value("--key <file>", "sign with this OpenSSH key; of a key in the ssh-agent its .pub file"),
    with: choice("--with <way>", "who opens the key (default: file, of a .pub file agent)", SIGNING_WAYS),
    signature: value("--signature <file>", "what ssh-keygen made elsewhere"),
  },
  examples: [
    [
      "cosigner policy bundle sign policy.bundle --as alice --key ~/.ssh/id_ed25519",
      "signs with a key on this machine",
    ],
    ["cosigner policy bundle sign policy.bundle --as alice --signature alice.sig", "adds what was signed elsewhere"],
  ],
  run: async ({ args, options, out, env }) => {
    const bundle = readBundleFile(args.file)
    const owner = options.as ?? refuse("--as", "the name of an owner", "nothing")
    if (options.signature === undefined && options.key === undefined) {
      out.result({ document: bundle.document.text }, [bundle.document.text.slice(0, -1)])
      return EXIT.ok
    }
    const { key: file = "", with: way, signature } = options
    const blob = signature === undefined ? await signedWith(file, way, env, bundle.document) : broughtFrom(signature)
    const added: OwnerSignature = { owner, blob }
    const others = bundle.signatures.filter((one) => !sameSignature(one, added) && one.owner !== owner)
    const signed = { ...bundle, signatures: [...others, added] }
    const { owners, refused } = signersOf(
      { ...signed, signatures: [added] },
      { owners: "" },
      peopleWith(bundle.document, owner),
    )
    if (owners.length === 0) throw new CosignerError("E-POL-001", { file: args.file, problem: refused.join("; ") })
    written(args.file, () => replaceFile(args.file, writeBundle(signed), READABLE))
    out.result({ file: args.file, signatures: signed.signatures.map((one) => one.owner) }, [
      `Signed: ${signed.signatures.map((one) => one.owner).join(", ")}`,
    ])
    return EXIT.ok
  },
})

export const verify = command({
  summary: "Check a policy bundle: who signed it, and whether a node can follow it",
  details:
    "With --against the owners are those of another bundle, as they are for a node that follows it. Without it they are the bundle's own, as for a first bundle. Exits 5 if too few have signed.",
  args: { file: required("file", "the bundle") },
  options: {
    against: value("--against <file>", "the bundle in force"),
    document: flag("--document", "print the document, and nothing else"),
  },
  examples: [["cosigner policy bundle verify next.bundle --against policy.bundle", "before a node gets it"]],
  run: async ({ args, options, out }) => {
    const bundle = readBundleFile(args.file)
    if (options.document) {
      out.result({ document: bundle.document.text }, [bundle.document.text.slice(0, -1)])
      return EXIT.ok
    }
    requireFit(bundle.document, args.file)
    const by = options.against === undefined ? bundle.document : readBundleFile(options.against).document
    const { owners, refused } = signersOf(bundle, by.terms, peopleOf(by))
    const { version } = bundle.document.terms
    const isEnough = owners.length >= by.terms.min
    out.result(
      { version, document: bundle.document.digest, signed: owners, needed: by.terms.min, refused, enough: isEnough },
      [
        `Version ${version}, document ${bundle.document.digest}`,
        `Signed by ${owners.length} of ${by.terms.min}: ${owners.join(", ") || "nobody"}`,
        ...refused.map((why) => `Not counted: ${why}`),
      ],
    )
    return isEnough ? EXIT.ok : EXIT.refused
  },
})

async function signedWith(
  file: string,
  way: SigningWay | undefined,
  env: Readonly<Record<string, string | undefined>>,
  { text }: BundleDocument,
): Promise<Bytes> {
  using signer = await openSigner({ file, way, agent: env["SSH_AUTH_SOCK"] })
  return await signer.sign("cosigner-policy", utf8(text))
}

function broughtFrom(file: string): Bytes {
  const blob = dearmorSshsig(textOfFile("--signature", file))
  if (isUnfit(blob)) throw new CosignerError("E-POL-001", { file, problem: blob.problem })
  return blob
}

// ---- documents -----------------------------------------------------------------------------------------------------------

function documentIn(text: string, file: string): BundleDocument {
  const document = readDocument(text)
  if (isUnfit(document)) throw new CosignerError("E-POL-001", { file, problem: document.problem })
  return document
}

/** The configuration of a node that has only this document. */
const configOf = (document: BundleDocument) => checkConfig("", undefined, {}, document).config

const peopleOf = (document: BundleDocument): People => configOf(document).embedded_risk_control_rules.names.people

/** The approvers of a document, and a group with the one who signs: the node checks whose owner they are. */
function peopleWith(document: BundleDocument, owner: string): People {
  const { approvers } = peopleOf(document)
  return { approvers, groups: new Map([["", [owner]]]) }
}

function requireFit(document: BundleDocument, file: string): void {
  const config = configOf(document)
  const found = lintPolicy(config).find(({ severity }) => severity === "error")
  const problem =
    problemOfOwners(document.terms, config.embedded_risk_control_rules.names.people) ??
    (found && `${found.where}: ${found.what}`) ??
    serverProblem(config)
  if (problem !== undefined) throw new CosignerError("E-POL-001", { file, problem })
}

/** Problems of the callback servers' keys, even if such a configuration lacks other things. */
function serverProblem(config: Parameters<typeof checkStart>[0]): string | undefined {
  const found = checkStart(config).problems.find(({ code }) => code === "E-RSK-130" || code === "E-RSK-131")
  return found && errorText(found)
}

// ---- files -------------------------------------------------------------------------------------------------------------

/** Adds the files that the draft's keys name, so that the document contains the whole policy. */
function withFiles(text: string, name: string): string {
  const { tree } = documentIn(text.endsWith("\n") ? text : `${text}\n`, name)
  const held = tree["files"]
  const paths = [...new Set(namedFiles(tree))].filter((path) => !(isTree(held) && Object.hasOwn(held, path)))
  if (paths.length === 0) return text.endsWith("\n") ? text : `${text}\n`
  const head = held === undefined ? "\n[files]\n" : "\n"
  return `${text.trimEnd()}\n${head}${paths.map((path) => `${JSON.stringify(path)} = ${literal(path)}\n`).join("")}`
}

function namedFiles(tree: Readonly<Tree>): readonly string[] {
  const inTable = (table: unknown, list: string, key: string): readonly string[] => {
    const entries: unknown = isTree(table) ? table[list] : undefined
    return (Array.isArray(entries) ? entries : []).flatMap((entry: unknown) => {
      const path = isTree(entry) ? entry[key] : undefined
      return typeof path === "string" ? [path] : []
    })
  }
  return [
    ...inTable(tree["callback"], "cb_server", "pubkey_path"),
    ...inTable(tree["callback"], "cb_server_v2", "pubkey_path"),
    ...inTable(tree["intent"], "contracts", "abi"),
  ]
}

/** Writes a file as TOML's multi-line literal text. */
function literal(path: string): string {
  const content = readSource(path, true)
  if (content.includes("'''"))
    throw new CosignerError("E-POL-001", { file: path, problem: "it has three quotes in a row" })
  return `'''\n${content}'''`
}
