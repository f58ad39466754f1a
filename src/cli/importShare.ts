/**
 * `cosigner import-share`: imports this node's share of a key from a recovery file (threshold.md 6.5), on exactly threshold nodes. A
 * reshare then gives every node an ordinary share. The key is never put together. The old shares stay valid until somebody destroys
 * them, and the command says so.
 */

import { u64be } from "../bytes.ts"
import { frame } from "../crypto/frame.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { writeNew } from "../files.ts"
import { checkShare, type GroupPublic, wipeGroupSecret } from "../keys/group.ts"
import { importRecord } from "../keys/importRecord.ts"
import { type ImportDealer, importedGroup, importedShare } from "../keys/importShare.ts"
import { OpeningKeys } from "../keys/recoveryBox.ts"
import type { RecoveryGroup, RecoveryParticipant } from "../keys/recoveryFile.ts"
import { type ProvenShare, proveShare } from "../keys/recoverySet.ts"
import { identityOf } from "../mpc/envelope.ts"
import { importStateOf } from "../ops/inventory/imported.ts"
import { openStore, type Store } from "../store/store.ts"
import { nodeIdOf, parseNodeId } from "../wire/nodeId.ts"
import { type CommandBase, command, list, optional, refuse, value } from "./command.ts"
import { loadFiles, theGroup } from "./recoveryInput.ts"
import { written } from "./written.ts"

/** More iterations would keep the node's computer busy for seconds; no share meant for further use is sealed like this. */
const MAX_ITERATIONS = 20_000_000

interface Options {
  readonly dealers: readonly string[]
  readonly groupId: string | undefined
  readonly root: string | undefined
  readonly filePassword: string | undefined
  readonly record: string | undefined
}

export const importShare = command({
  summary: "Take this node's share of a key over from a recovery file",
  details: [
    "Run it on exactly as many nodes as the file's threshold, each with the file of another participant and the same --dealers. Each",
    "writes a signed public record; give the records of all of them to WaaS (POST .../key_share_holder_groups/import), then ask for a",
    "KeyReshare: it gives every node of the new group a share of its own, whether it had a file or not, under any threshold. The root",
    "key, the addresses and the chain code stay, and no computer ever holds the key. The node must be stopped: a running one has its",
    "groups in memory.",
    "The old shares remain valid: as many of them as the threshold still reconstruct the key, even after the reshare. Destroy the files,",
    "databases and backups that hold them, then confirm it with --confirm-destroyed. Until then the group is shown as imported.",
  ].join("\n"),
  args: { file: optional("recovery-file", "the file of one participant of the group") },
  options: {
    dealers: list(
      "--dealers <list>",
      "PARTICIPANT=NODE between commas, exactly threshold of them: a node id or share id of the file, and the node that takes that share over",
    ),
    groupId: value("--group-id <id>", "the group, if the file holds several"),
    root: value("--root <xpub>", "the root extended public key that the group must have"),
    filePassword: value("--file-password-file <file>", "file with the password of the recovery file, mode 600"),
    record: value("--record <file>", "where the signed public record goes; import-GROUP-NODE.json if absent"),
    confirmDestroyed: value(
      "--confirm-destroyed <group>",
      "say that the old shares of that imported group are destroyed",
    ),
  },
  examples: [
    [
      "cosigner import-share recovery-secrets-a --dealers 7513...=cosA...,9142...=cosB... --root xpub661My...",
      "on node cosA",
    ],
    ["cosigner import-share --confirm-destroyed OoQGkknsPdPjLCmSuuSf", "after the old shares are gone"],
  ],
  run: async (base) => {
    const { args, options } = base
    const { confirmDestroyed } = options
    if (confirmDestroyed !== undefined) return confirm(base, confirmDestroyed)
    const files = await loadFiles(args.file === undefined ? [] : [args.file])
    const groupId = theGroup(files, options.groupId)
    const [group] = files.flatMap((file) => file.filter((one) => one.groupId === groupId))
    if (group === undefined) throw new CosignerError("E-KEY-017", { file: args.file ?? "", group: groupId, found: [] })
    return take(base, group, options)
  },
})

async function take(base: CommandBase, group: RecoveryGroup, options: Options) {
  requireExpected(group, options.root)
  const dealers = options.dealers.map((text) => dealerOf(group, text))
  const imported = importedGroup(group, dealers)
  const { db } = await base.config()
  using password = await base.passwords.existing(db)
  using store = openStore(db.path, password, { readOnly: false })
  using seed = store.identity()
  const self = identityOf(seed.expose())
  const own = dealers.find(({ party }) => party === self.party)
  const unlike = (why: string) => new CosignerError("E-KEY-039", { group: group.groupId, why })
  if (own === undefined) throw unlike(`this node, ${nodeIdOf(self.party)}, is not among the dealers`)
  if (own.participant !== group.own) throw unlike("the dealers give this node another share than the file holds")
  if (!isThere(store, imported)) {
    const proven = await opened(base, group, options.filePassword)
    using share = importedShare(proven, dealers, self.party)
    checkShare(imported, { share, pairs: [] }, self.party)
    try {
      store.importGroup(imported, { share, pairs: [] }, Date.now())
    } finally {
      wipeGroupSecret({ share, pairs: [] })
    }
  }
  const { party, ...record } = importRecord(imported, self.party, (bytes) => self.sign(bytes))
  const path = options.record ?? `import-${group.groupId}-${nodeIdOf(self.party)}.json`
  const signed = { node_id: nodeIdOf(party), ...record }
  written(path, () => writeNew(path, `${JSON.stringify(signed, null, 2)}\n`))
  base.out.result(
    {
      group_id: group.groupId,
      node_id: signed.node_id,
      record: path,
      imported: "unconfirmed",
      destroy: group.participants.map(destroyJson),
    },
    [
      `Imported: group ${group.groupId}, ${group.curve}, root ${group.rootExtendedPublicKey}`,
      `Record for WaaS: ${path}`,
      "Next: run this command on each other dealer, give the records to WaaS, then ask for a KeyReshare to the nodes that are to hold the key.",
      `WARNING: ${group.threshold} of these ${group.participants.length} old shares can still reconstruct the key, and the reshare does not change that.`,
      "After the reshare, destroy the recovery files, databases, phones and backups that hold them:",
      ...group.participants.map(({ nodeId, shareId }) => `  participant ${nodeId}, share ${shareId}`),
      `Then, on each of these nodes: cosigner import-share --confirm-destroyed ${group.groupId}`,
    ],
  )
  return EXIT.ok
}

const destroyJson = ({ nodeId, shareId }: RecoveryParticipant) => ({ node_id: nodeId, share_id: shareId.toString() })

/** True if exactly this import is already here: a command that was killed after its commit is run again to get the record. */
function isThere(store: Store, imported: GroupPublic): boolean {
  const known = store.groups.list().filter(({ groupId }) => groupId === imported.groupId)
  if (known.length === 0) return false
  if (store.groups.get(imported.groupId, imported.epochId)?.mode === "import") return true
  throw new CosignerError("E-KEY-039", {
    group: imported.groupId,
    why: "it holds another epoch of it, or another import",
  })
}

function requireExpected(group: RecoveryGroup, root: string | undefined): void {
  const { file, groupId, rootExtendedPublicKey: found } = group
  if (root !== undefined && root !== found)
    throw new CosignerError("E-KEY-036", { file, group: groupId, expected: root, found })
  const { iterations } = group.sealed.kdf
  if (iterations > MAX_ITERATIONS) {
    throw new CosignerError("E-KEY-012", {
      file,
      group: groupId,
      reason: `${iterations} iterations, more than ${MAX_ITERATIONS}`,
    })
  }
}

/** `PARTICIPANT=NODE`. */
function dealerOf(group: RecoveryGroup, text: string): ImportDealer {
  const [name = "", node = "", ...more] = text.split("=")
  const participant = group.participants.find(({ nodeId, shareId }) => nodeId === name || shareId.toString() === name)
  const party = parseNodeId(node)
  if (participant === undefined || party === undefined || more.length > 0) {
    return refuse(
      "--dealers",
      "PARTICIPANT=NODE, a participant of the file and a node id as cosigner info shows it",
      text,
    )
  }
  return { participant, party }
}

async function opened(base: CommandBase, group: RecoveryGroup, keyFile: string | undefined): Promise<ProvenShare> {
  const source = { key_file: keyFile, danger_allow_readable_key_file: base.globals.allowReadableKeyFile }
  using password = await base.passwords.existing(source, `Password of ${group.file}: `)
  using keys = new OpeningKeys(password)
  return proveShare(group, keys)
}

async function confirm(base: CommandBase, groupId: string) {
  const { db } = await base.config()
  using password = await base.passwords.existing(db)
  using store = openStore(db.path, password, { readOnly: false })
  const imported = store.groups.list().find((group) => group.groupId === groupId && group.mode === "import")
  if (imported === undefined) throw new CosignerError("E-KEY-039", { group: groupId, why: "it was not imported here" })
  const statement = frame("import/destroyed", imported.epochId, u64be(Date.now()))
  store.groups.confirmImport(groupId, imported.epochId, statement)
  const state = importStateOf(store.groups.list(), groupId)
  base.out.result({ group_id: groupId, imported: state }, [
    `Confirmed: the old shares of group ${groupId} are destroyed`,
  ])
  return EXIT.ok
}
