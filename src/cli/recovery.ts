/**
 * `cosigner recovery verify | reconstruct`: the offline tool for recovery files. It runs without configuration, database and
 * network, so that it works when nothing else does. recoveryDerive.ts derives keys.
 */
import { toHex } from "../bytes.ts"
import { EXIT } from "../errors/entry.ts"
import { encodeExtendedPrivateKey } from "../keys/extendedKey.ts"
import type { RecoveryGroup } from "../keys/recoveryFile.ts"
import { checkPublicShares, checkTogether } from "../keys/recoverySet.ts"
import { command, flag, value } from "./command.ts"
import {
  consentOptions,
  fileArguments,
  fileOptions,
  groupIdsOf,
  loadFiles,
  OpenFiles,
  reconstructWithConsent,
  sharesOf,
  theGroup,
} from "./recoveryInput.ts"
import { OutputFile } from "./recoveryOutput.ts"

export const verify = command({
  summary: "Check recovery files, alone and together",
  details:
    "Checks every field, that the public shares lead to the root key, that the files are of one epoch and of different " +
    "nodes, and with the password of each that its share opens and is the right one. No private key is put together.",
  args: fileArguments,
  options: {
    ...fileOptions,
    groupId: value("--group-id <id>", "only this group"),
    publicOnly: flag("--public-only", "leave the shares closed: no password is asked"),
  },
  examples: [
    ["cosigner recovery verify recovery/recovery-secrets-*", "asks for one password per file"],
    ["cosigner recovery verify a b --key-file a.key,b.key", "two files, two password files"],
  ],
  run: async (context) => {
    const { args, options, out } = context
    const files = await loadFiles([...args.files, ...options.more])
    const wanted = options.groupId === undefined ? groupIdsOf(files) : [theGroup(files, options.groupId)]
    const perGroup = wanted.map((groupId) => holdersOf(files, groupId, options.groupId !== undefined))
    for (const groups of perGroup) {
      checkTogether(groups)
      groups.forEach(checkPublicShares)
    }
    if (!options.publicOnly) {
      using open = new OpenFiles()
      await open.unlock(context, files, options.keyFile)
      for (const group of perGroup.flat()) open.prove(group)
    }
    out.result({ ok: true, shares_opened: !options.publicOnly, groups: perGroup.map(summaryOf) }, [
      ...perGroup.flatMap((groups) => linesOf(groups, !options.publicOnly)),
      "Verify all recovery group files passed!",
    ])
    return EXIT.ok
  },
})

/** The files that hold this group. All of them must hold a named group; theGroup's error says which file does not. */
function holdersOf(
  files: readonly (readonly RecoveryGroup[])[],
  groupId: string,
  inAll: boolean,
): readonly RecoveryGroup[] {
  if (inAll) return sharesOf(files, groupId)
  return files.flatMap((file) => file.filter((group) => group.groupId === groupId))
}

const isEnough = (groups: readonly RecoveryGroup[]): boolean => groups.length >= (groups[0]?.threshold ?? Infinity)

const summaryOf = (groups: readonly RecoveryGroup[]) => ({
  group_id: groups[0]?.groupId,
  curve: groups[0]?.curve,
  threshold: groups[0]?.threshold,
  participants: groups[0]?.participants.length,
  root_extended_public_key: groups[0]?.rootExtendedPublicKey,
  shares: groups.map(({ file, own }) => ({ file, node_id: own.nodeId, share_id: own.shareId })),
  enough: isEnough(groups),
})

function linesOf(groups: readonly RecoveryGroup[], opened: boolean): readonly string[] {
  const [group] = groups
  if (group === undefined) return []
  const done = opened ? "the share opens and is the right one" : "the public part is right; the share was not opened"
  const missing = group.threshold - groups.length
  return [
    `Group ${group.groupId} (${group.curve}, ${group.threshold} of ${group.participants.length})`,
    `  Root Extended Public Key: ${group.rootExtendedPublicKey}`,
    ...groups.map(({ file, own }) => `  ${file}: node ${own.nodeId}: ${done}`),
    missing > 0
      ? `  To reconstruct the key, the files of ${missing} more ${missing === 1 ? "node is" : "nodes are"} needed`
      : "  These files are enough to reconstruct the key",
  ]
}

export const reconstruct = command({
  summary: "Put a root private key together from the files of enough nodes",
  details:
    "The end of shared custody for this key: whoever sees the result owns every address under it. Asks for a " +
    "phrase as a confirmation, then for the password of each file. Use a computer without network.",
  args: fileArguments,
  options: {
    ...fileOptions,
    ...consentOptions,
    groupId: value("--group-id <id>", "the group, if the files hold several"),
    output: value("--output <file>", "write the key to this new file, mode 600, and not to the screen"),
  },
  examples: [["cosigner recovery reconstruct a b --group-id OoQGkknsPdPjLCmSuuSf --output root.key", "to a file"]],
  run: async (context) => {
    const { args, options, out } = context
    const files = await loadFiles([...args.files, ...options.more])
    // Claims the output file first: a key must not exist before there is a place for it.
    using file = options.output === undefined ? undefined : new OutputFile(options.output)
    const [made] = await reconstructWithConsent(context, files, [theGroup(files, options.groupId)], options)
    if (made === undefined) throw new TypeError("one group, one key")
    const { root, group } = made
    using scalar = root.scalar
    const known = {
      group_id: group.groupId,
      curve: group.curve,
      root_extended_public_key: group.rootExtendedPublicKey,
    }
    const full = {
      ...known,
      root_private_key: `0x${toHex(scalar.expose())}`,
      root_extended_private_key: encodeExtendedPrivateKey(root),
    }
    const lines = [
      `Group ID: ${known.group_id}`,
      `Curve: ${known.curve}`,
      `Root Extended Public Key: ${known.root_extended_public_key}`,
    ]
    const fullLines = [
      ...lines,
      `Root Private Key: ${full.root_private_key}`,
      `Root Extended Private Key: ${full.root_extended_private_key}`,
    ]
    if (file === undefined) out.result(full, fullLines)
    else {
      file.write(out.json ? `${JSON.stringify(full)}\n` : `${fullLines.join("\n")}\n`)
      file.finish()
      out.result({ ...known, output: file.path }, [...lines, `The private key is in ${file.path}`])
    }
    return EXIT.ok
  },
})
