/** `cosigner audit key | export | verify | prove | report`: takes the log for auditors out of a node, and verifies it anywhere. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { type AuditLeaf, parseLeaf } from "../audit/entry.ts"
import { textOf, type VerifiedExport } from "../audit/exported.ts"
import { inclusionProof } from "../audit/merkle.ts"
import { MAX_NOTE, type NoteKey, noteKeyText, signedBy } from "../audit/note.ts"
import { MAX_PROOF_FILE, parseProof, proofText, provenLeaf } from "../audit/proof.ts"
import { TILE_WIDTH } from "../audit/tiles.ts"
import { toHex, utf8 } from "../bytes.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { readLeaves, writeExport, writeNewBytes } from "../jobs/auditExport.ts"
import { checkpointsNow, logSigners } from "../jobs/auditSigner.ts"
import type { AuditLog } from "../store/auditLog.ts"
import { keyOf, moment, onFiles, time, verifiedExport, withStore } from "./auditFiles.ts"
import { command, flag, list, refuse, required, value, valueOr } from "./command.ts"

export const key = command({
  summary: "Print the keys by which others verify this node's log",
  details: [
    "The first is the log's key: auditors verify exports and proofs with it. This node signs with the second key as a witness of",
    "other nodes' logs. Both are public. Hand them over through a channel that nobody who might forge a log controls.",
  ].join("\n"),
  examples: [["cosigner audit key", "once, and again after nothing: they stay, through backups and restores too"]],
  run: async (base) => {
    const { log, witness } = await withStore(base, logSigners)
    const [logKey, witnessKey] = [noteKeyText(log.key), noteKeyText(witness.key)]
    base.out.result({ log: logKey, witness: witnessKey }, [`Log: ${logKey}`, `Witness: ${witnessKey}`])
    return EXIT.ok
  },
})

export const exportLog = command({
  summary: "Write this node's log as files that anybody can verify",
  details: [
    "Writes checkpoint, tiles and leaves in the form of C2SP tlog-tiles, and the leaves also as JSON lines. The node may be running. DIR must be",
    "new or empty. --since omits earlier leaves, in groups of 256. The tree is still whole, and verify then needs --partial.",
  ].join("\n"),
  args: { dir: required("dir", "the folder that is made") },
  options: { since: value("--since <time>", "leave out leaves of before: 2026-01-31 or 2026-01-31T12:00:00Z", moment) },
  examples: [
    ["cosigner audit export log-2026-12", "then: cosigner audit verify log-2026-12 --key KEY"],
    ["cosigner audit export december --since 2026-12-01", "the leaves of one month, beside the tree of all"],
  ],
  run: async (base) => {
    const { dir } = base.args
    if (existsSync(dir) && (!statSync(dir).isDirectory() || readdirSync(dir).length > 0)) {
      throw new CosignerError("E-AUD-003", { path: dir })
    }
    const { signed, cosigned, written } = await withStore(base, (store) => {
      const checkpoints = checkpointsNow(store, logSigners(store))
      const since = base.options.since === undefined ? 0 : firstSince(store.audit, base.options.since)
      const written = onFiles(dir, () => writeExport(store.audit, dir, checkpoints, since))
      return { ...checkpoints, written }
    })
    const { origin, size, root } = signed.checkpoint
    base.out.result({ dir, origin, size, root: toHex(root), leaves: written }, [
      `Exported: ${dir}`,
      `Log: ${origin}, ${size} leaves, root ${toHex(root)}`,
      cosigned === undefined
        ? `Cosigned: ${signed.note.signatures.length > 1 ? "all of it" : "by nobody yet"}`
        : `Cosigned: the first ${cosigned.checkpoint.size} leaves`,
      ...(written === size ? [] : [`Leaves in it: the last ${written}`]),
    ])
    return EXIT.ok
  },
})

/** The first leaf at that moment or later. */
function firstSince(audit: AuditLog, sinceMs: number): number {
  for (const { seq, atMs } of readLeaves(audit)) if (atMs >= sinceMs) return seq
  return audit.size
}

const keyOption = value("--key <key>", "the log's key, as `cosigner audit key` prints it on the node", (text) =>
  keyOf(text, "log"),
)

export const verify = command({
  summary: "Verify an exported log or a proof, with nothing but the keys",
  details: [
    "Needs no node and no password. Checks every hash, leaf, signature and file. Exit code 5 says that something is not as it was",
    "signed, and the message says where. Each --witness must have cosigned. PATH is a folder of `audit export` or a file of `audit prove`.",
  ].join("\n"),
  args: { path: required("path", "the folder or the proof") },
  options: {
    key: keyOption,
    witnesses: list("--witness <keys>", "keys of witnesses that must have cosigned, between commas or repeated"),
    earlier: list("--earlier <files>", "checkpoints of before, with which the log must begin: of exports, of anchors"),
    partial: flag("--partial", "leaves may be missing at the beginning, as in exports with --since"),
  },
  examples: [
    ["cosigner audit verify log-2026-12 --key KEY", "the whole log"],
    [
      "cosigner audit verify log-2026-12 --key KEY --earlier log-2026-11/checkpoint",
      "and that it goes on from November's",
    ],
    ["cosigner audit verify TASK-7-share.tlog-proof --key KEY --witness W1 --witness W2", "one leaf, and who saw it"],
  ],
  run: async ({ args: { path }, options, out }) => {
    const key = options.key ?? refuse("--key", "the log's key", "")
    const witnesses = options.witnesses.map((text) => keyOf(text, "witness"))
    if (onFiles(path, () => statSync(path)).isDirectory()) {
      const earlier = options.earlier.map((file) => ({ path: file, text: textIn(file, MAX_NOTE) }))
      const verified = verifiedExport(path, { key, witnesses, earlier, isPartial: options.partial })
      out.result(jsonOf(verified), linesOfVerified(verified))
      return EXIT.ok
    }
    const { leaf, origin, size, cosigned } = verifiedProof(path, key, witnesses)
    out.result({ verified: true, origin, size, leaf: shownLeaf(leaf), cosigned: cosigned.map(shownCosigned) }, [
      `Verified: leaf ${leaf.seq} of ${origin}, ${size} leaves`,
      ...cosigned.map((one) => `Cosigned: ${one.name} at ${time(one.atMs)}`),
      `${time(leaf.atMs)} ${leaf.kind} ${JSON.stringify(leaf.facts)}`,
    ])
    return EXIT.ok
  },
})

const shownLeaf = ({ seq, atMs, kind, facts }: AuditLeaf) => ({ seq, at: time(atMs), kind, facts })
const shownCosigned = ({ name, atMs }: { readonly name: string; readonly atMs: number }) => ({ name, at: time(atMs) })

const jsonOf = ({ origin, size, root, first, cosigned }: VerifiedExport) => ({
  ...{ verified: true, origin, size, root: toHex(root), first_leaf: first },
  cosigned: cosigned.map((one) => ({ ...shownCosigned(one), size: one.size })),
})

const linesOfVerified = ({ origin, size, root, first, cosigned }: VerifiedExport): readonly string[] => [
  `Verified: ${origin}, ${size} leaves, root ${toHex(root)}`,
  ...(first === 0 ? [] : [`Leaves in it: ${first} to ${size - 1}; of those before only the hashes`]),
  ...cosigned.map((one) => `Cosigned: ${one.name} at ${time(one.atMs)}, ${one.size} leaves`),
]

/** Empty if the file is larger than allowed, or not text. */
const textIn = (path: string, most: number): string =>
  onFiles(path, () => (statSync(path).size > most ? "" : (textOf(readFileSync(path)) ?? "")))

function verifiedProof(path: string, key: NoteKey, witnesses: readonly NoteKey[]) {
  const not = (problem: string): never => {
    throw new CosignerError("E-AUD-005", { path, problem })
  }
  const proof = parseProof(textIn(path, MAX_PROOF_FILE)) ?? not("it is no proof, and no folder of an export")
  const leaf = provenLeaf(proof, key)
  if (typeof leaf === "string") return not(leaf)
  const { signed } = proof
  const cosigned = witnesses.map((witness) => ({
    name: witness.name,
    atMs: signedBy(signed.note, witness) ?? not(`${witness.name} has not cosigned its checkpoint`),
  }))
  return { leaf, ...signed.checkpoint, cosigned }
}

export const prove = command({
  summary: "Write proofs of what the log says of a task",
  details: [
    "Writes one file for each leaf: the leaf, its path in the tree, and the checkpoint, in the form of C2SP tlog-proof. Anybody who has the log's key",
    "can verify it with `cosigner audit verify`, without the rest of the log. The node may be running.",
  ].join("\n"),
  args: { task: required("task-id", "as `cosigner info task` shows it") },
  options: { dir: valueOr("--dir <dir>", "where the files go", ".", (text) => text) },
  examples: [["cosigner audit prove TASK_ID --dir proofs", "one file each for decision, share and end"]],
  run: async (base) => {
    const { task } = base.args
    const { dir } = base.options
    const files = await withStore(base, (store) => {
      const { signed: newest, cosigned } = checkpointsNow(store, logSigners(store))
      const proofs = provable(store.audit, task)
      if (proofs.length === 0) throw new CosignerError("E-AUD-006", { task })
      return proofs.map(({ leaf, index, kind }) => {
        const signed = cosigned !== undefined && index < cosigned.checkpoint.size ? cosigned : newest
        const path = inclusionProof(index, signed.checkpoint.size, store.audit.subtree)
        const file = join(dir, `${task.replaceAll(/[^\w-]/g, "_")}-${index}-${kind}.tlog-proof`)
        onFiles(file, () => writeNewBytes(file, utf8(proofText({ leaf, index, path, signed }))))
        return { file, seq: index, kind }
      })
    })
    base.out.result({ task, proofs: files }, [
      `Task: ${task}`,
      ...files.map(({ file, seq, kind }) => `Proof: leaf ${seq}, ${kind}: ${file}`),
    ])
    return EXIT.ok
  },
})

function provable(audit: AuditLog, task: string) {
  const { size } = audit
  const found = []
  const name = Buffer.from(JSON.stringify(task))
  for (let first = 0; first < size; first += TILE_WIDTH) {
    const leaves = audit.bundle(first / TILE_WIDTH, Math.min(TILE_WIDTH, size - first)) ?? []
    for (const [at, leaf] of leaves.entries()) {
      if (!Buffer.from(leaf.buffer).includes(name)) continue
      const { kind, facts } = parseLeaf(leaf)
      if (facts["task"] === task) found.push({ leaf, index: first + at, kind })
    }
  }
  return found
}
