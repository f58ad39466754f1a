/**
 * `cosigner recovery derive`: child keys and addresses, from a root extended public key or from recovery files. Private
 * keys only on request, from the files of enough nodes. It derives one path at a time, or a whole address list, streamed.
 */
import { basename, extname, join } from "node:path"
import { toHex } from "../bytes.ts"
import type { CurveName } from "../crypto/curve.ts"
import { EXIT, type ExitCode } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { addressesOf } from "../keys/addresses.ts"
import { AddressList, type ListRow, type RowResult } from "../keys/addressList.ts"
import { ChildKeys } from "../keys/childKeys.ts"
import {
  decodeExtendedPublicKey,
  type ExtendedPrivateKey,
  encodeExtendedPrivateKey,
  encodeExtendedPublicKey,
} from "../keys/extendedKey.ts"
import { formatPath, parsePath } from "../keys/path.ts"
import { addressRows } from "./addressRows.ts"
import { type CommandBase, command, flag, list, refuse, value, valueOr } from "./command.ts"
import {
  consentOptions,
  fileArguments,
  fileOptions,
  groupIdsOf,
  loadFiles,
  reconstructWithConsent,
  sharesOf,
  whyNot,
} from "./recoveryInput.ts"
import { OutputFile } from "./recoveryOutput.ts"

const ROWS_BETWEEN_REMARKS = 5000
/** Rows between two checks for other events, above all an interrupt: about a tenth of a second. */
const ROWS_AT_ONCE = 200
const BAD_ROWS_SHOWN = 5

const ONE_GIVES_ALL =
  "Each private key that is derived is worth all of them: one child key and the root extended public key give the root private key."

const options = {
  ...fileOptions,
  ...consentOptions,
  key: list("--key <xpub|cpub>", "root extended public keys, in place of files"),
  groupIds: list("--group-id <ids>", "only these groups of the files, one per curve"),
  paths: list("--paths <paths>", "such as m/44/60/0/0/5, between commas"),
  csv: value("--csv-file <file>", "an address list, as the vendor's portal exports it"),
  csvDir: valueOr("--csv-output-dir <folder>", "where the completed list goes, mode 600", "recovery", (text) => text),
  skipBad: flag("--skip-bad-rows", "write the good rows of a list that has bad ones; the exit code stays non-zero"),
  privateKeys: flag("--private-keys", "private keys too: asks for the passwords of enough files"),
}

type GivenOptions = { readonly [K in keyof typeof options]: ReturnType<(typeof options)[K]["read"]> } & {
  readonly files: readonly string[]
}

export const derive = command({
  summary: "Derive child keys and addresses from a root key",
  details:
    "Public keys and addresses need no password: the root extended public key is enough. With --private-keys the root key " +
    "is put together in memory from the files of enough nodes. Paths are not hardened: whoever has the private key of one " +
    "child and the root extended public key works out the root private key, and so the key of every other child. Hand out " +
    "none of them alone; to give one address away, move its funds instead. Ed25519 private keys are scalars, not seeds: wallets " +
    "that ask for a seed cannot import them.",
  args: fileArguments,
  options,
  examples: [
    ["cosigner recovery derive --key xpub661My... --paths m/44/60/0/0/0,m/84/0/0/0/0", "public keys and addresses"],
    ["cosigner recovery derive a b --csv-file address.csv --private-keys", "every key of a list, to recovery/"],
  ],
  run: async (context) => {
    const given = { ...context.options, files: [...context.args.files, ...context.options.more] }
    if (given.paths.length > 0 === (given.csv !== undefined)) {
      refuse("what to derive", "either --paths or --csv-file", given.csv ?? "")
    }
    const paths = given.paths.map(parsePath)
    // Claims the output file first: nobody should type passwords for a list that cannot be written.
    using file = given.csv === undefined ? undefined : new OutputFile(outputPath(given.csv, given.csvDir))
    const secrets: ExtendedPrivateKey[] = []
    try {
      const roots = await rootsOf(context, given, secrets)
      return given.csv === undefined || file === undefined
        ? printPaths(context, roots, paths)
        : await completeList(context, roots, { path: given.csv, file }, given)
    } finally {
      for (const { scalar } of secrets) scalar.wipe()
    }
  },
})

/** One root per curve. Private roots are also added to `secrets`, for the caller to wipe. */
async function rootsOf(
  base: CommandBase,
  given: GivenOptions,
  secrets: ExtendedPrivateKey[],
): Promise<ReadonlyMap<CurveName, ChildKeys>> {
  const roots = new Map<CurveName, ChildKeys>()
  const add = (keys: ChildKeys) => {
    if (roots.has(keys.root.curve)) refuse("the choice of root keys", "one per curve", keys.root.curve)
    roots.set(keys.root.curve, keys)
  }
  if (given.key.length > 0) {
    if (given.privateKeys || given.files.length > 0) refuse("--key", "given without files and --private-keys", "")
    for (const text of given.key) add(ChildKeys.ofPublic(decodeExtendedPublicKey(text)))
    return roots
  }
  const files = await loadFiles(given.files)
  const groupIds = given.groupIds.length > 0 ? given.groupIds : groupIdsOf(files)
  if (given.privateKeys) {
    secrets.push(
      ...(await reconstructWithConsent(base, files, groupIds, { ...given, warning: ONE_GIVES_ALL })).map(
        ({ root }) => root,
      ),
    )
    for (const root of secrets) add(ChildKeys.ofPrivate(root))
    return roots
  }
  for (const [group] of groupIds.map((groupId) => sharesOf(files, groupId))) {
    if (group !== undefined) add(ChildKeys.ofPublic(decodeExtendedPublicKey(group.rootExtendedPublicKey)))
  }
  return roots
}

// ---- single paths --------------------------------------------------------------------------------------------------

function printPaths(
  { out }: CommandBase,
  roots: ReadonlyMap<CurveName, ChildKeys>,
  paths: readonly (readonly number[])[],
): ExitCode {
  for (const keys of roots.values()) {
    for (const path of paths) {
      const { child, point, secret } = keys.at(path)
      using scalar = secret?.scalar
      const addresses = addressesOf(child.curve, child.publicKey, point)
      const shown = {
        path: formatPath(path),
        curve: child.curve,
        public_key: toHex(child.publicKey),
        extended_public_key: encodeExtendedPublicKey(child),
        ...(secret && scalar && { private_key: `0x${toHex(scalar.expose())}` }),
        ...(secret && { extended_private_key: encodeExtendedPrivateKey(secret) }),
        addresses: Object.fromEntries(addresses.map(({ kind, address }) => [kind, address])),
      }
      out.result(shown, [
        `${shown.path} (${shown.curve})`,
        `  Public Key: 0x${shown.public_key}`,
        `  Extended Public Key: ${shown.extended_public_key}`,
        ...(shown.private_key === undefined ? [] : [`  Private Key: ${shown.private_key}`]),
        ...(shown.extended_private_key === undefined ? [] : [`  Extended Private Key: ${shown.extended_private_key}`]),
        ...addresses.map(({ kind, address }) => `  Address ${kind}: ${address}`),
      ])
    }
  }
  return EXIT.ok
}

// ---- address lists -------------------------------------------------------------------------------------------------

interface Tally {
  rows: number
  derived: number
  confirmed: number
  skipped: number
  bad: number
  readonly firstBad: { readonly line: number; readonly problem: string }[]
}

async function completeList(
  { out }: CommandBase,
  roots: ReadonlyMap<CurveName, ChildKeys>,
  { path, file }: { readonly path: string; readonly file: OutputFile },
  given: GivenOptions,
): Promise<ExitCode> {
  const list = new AddressList(roots, given.privateKeys, path)
  const tally: Tally = { rows: 0, derived: 0, confirmed: 0, skipped: 0, bad: 0, firstBad: [] }
  let heading = false
  for await (const rows of rowsOf(path, file.path)) {
    const texts: string[] = []
    for (const row of rows) {
      if (heading) texts.push(count(tally, list.row(row)))
      else texts.push(list.heading(row))
      heading = true
      if (tally.rows > 0 && tally.rows % ROWS_BETWEEN_REMARKS === 0) out.note(`${tally.rows} rows of ${path} done`)
    }
    // Once the list will not be kept, bad rows are still counted, but no more private keys are written.
    if (tally.bad === 0 || given.skipBad) file.write(texts.join(""))
  }
  if (!heading) throw new CosignerError("E-KEY-030", { file: path, reason: "it is empty" })
  const { rows, bad, firstBad: first } = tally
  if (bad > 0 && !given.skipBad)
    throw new CosignerError("E-KEY-031", { file: path, bad, rows, first, written: undefined })
  file.finish()
  if (bad > 0) throw new CosignerError("E-KEY-031", { file: path, bad, rows, first, written: file.path })
  const { derived, confirmed, skipped } = tally
  out.result({ output: file.path, rows, derived, addresses_confirmed: confirmed, skipped }, [
    `${derived} of ${rows} rows completed in ${file.path}`,
    `${confirmed} of their addresses are the ones derived here; the others are of chains this program has no addresses of`,
    ...(skipped > 0 ? [`${skipped} rows were left out: no root key of their curve was given`] : []),
  ])
  return EXIT.ok
}

function count(tally: Tally, result: RowResult): string {
  tally.rows++
  if (result.kind === "derived") {
    tally.derived++
    if (result.confirmed) tally.confirmed++
    return result.text
  }
  if (result.kind === "skipped") tally.skipped++
  else {
    tally.bad++
    if (tally.firstBad.length < BAD_ROWS_SHOWN) tally.firstBad.push({ line: result.line, problem: result.problem })
  }
  return ""
}

/** Rows in small pieces, as the file is read. An interrupt ends it with E-KEY-034, and the unfinished file is removed. */
async function* rowsOf(path: string, output: string): AsyncGenerator<readonly ListRow[], void, undefined> {
  let interrupted = false
  const interrupt = () => {
    interrupted = true
  }
  process.once("SIGINT", interrupt).once("SIGTERM", interrupt)
  try {
    for await (const rows of piecesOf(addressRows(Bun.file(path).stream(), path))) {
      await Bun.sleep(0)
      if (interrupted) throw new CosignerError("E-KEY-034", { path: output })
      yield rows
    }
  } catch (cause) {
    if (cause instanceof CosignerError) throw cause
    const why = cause instanceof TypeError ? "it is not UTF-8 text" : whyNot(cause)
    throw new CosignerError("E-KEY-032", { path, why }, { cause })
  } finally {
    process.off("SIGINT", interrupt).off("SIGTERM", interrupt)
  }
}

async function* piecesOf(rows: AsyncIterable<ListRow>): AsyncGenerator<readonly ListRow[], void, undefined> {
  let piece: ListRow[] = []
  for await (const row of rows) {
    if (piece.push(row) < ROWS_AT_ONCE) continue
    yield piece
    piece = []
  }
  yield piece
}

/** `address-recovery-2026-11-22T09:33:20Z.csv`, named as the vendor's tool does. */
function outputPath(path: string, folder: string): string {
  const extension = extname(path)
  const time = new Date().toISOString().replace(/\.\d+/, "")
  return join(folder, `${basename(path, extension)}-recovery-${time}${extension}`)
}
