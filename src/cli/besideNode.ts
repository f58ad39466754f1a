/**
 * Commands that work whether or not the node runs: through the admin socket of the node that has the database open, or on
 * the file itself if no node has.
 */
import { CosignerError } from "../errors.ts"
import { requireNewest } from "../jobs/rollbackGuard.ts"
import { type AskedNode, askNode } from "../ops/admin/client.ts"
import type { AdminCommand } from "../ops/admin/protocol.ts"
import type { Shown } from "../ops/inventory/shown.ts"
import type { Secret } from "../secret.ts"
import { openStore, type Store } from "../store/store.ts"
import type { CommandBase } from "./command.ts"

/** Shows something: a running node answers without the password. Otherwise uses `summary` if there is one, or opens the file for reading. */
export async function showBeside(
  base: CommandBase,
  asked: AdminCommand,
  read: (store: Store) => Shown,
  summary?: Shown,
): Promise<void> {
  const { db } = await base.config()
  const answer = await askNode(db.path, asked)
  if (answer !== undefined) return showShown(base, answer.shown)
  if (summary !== undefined) {
    base.out.note(`cosigner: from the signed summary beside ${db.path}; with --key-file the database itself is read`)
    return showShown(base, summary)
  }
  using password = await base.passwords.existing(db)
  using store = openStore(db.path, password, { readOnly: true })
  showShown(base, read(store))
}

/** Changes something: a running node does it itself if the password is right. Otherwise opens the file for writing. */
export async function changeBeside(
  base: CommandBase,
  asked: AdminCommand,
  change: (store: Store) => Shown,
): Promise<void> {
  const { db } = await base.config()
  using password = await base.passwords.existing(db)
  const answer = await askNode(db.path, asked, password)
  if (answer !== undefined) return showShown(base, answer.shown)
  using store = openStore(db.path, password, { readOnly: false })
  requireNewest(store)
  const shown = change(store)
  store.audit.record(Date.now(), { kind: "command", facts: { command: asked.command, by: "file" } })
  showShown(base, shown)
}

/**
 * For a command that itself does something with the shares. A running node is asked first, compares the password, and is told how the
 * command ended, so its log names who took shares out, and when.
 */
export async function permittedBeside<T>(
  db: string,
  asked: AdminCommand,
  password: Secret,
  action: () => Promise<T>,
  /** If no node runs: throws unless the command may be carried out, and writes a leaf if the command needs one. */
  alone: () => void = () => recordAlone(db, asked, password),
): Promise<T> {
  const node: AskedNode | undefined = await askNode(db, asked, password)
  if (node === undefined) alone()
  try {
    const result = await action()
    await node?.ended("done")
    return result
  } catch (error) {
    await node?.ended(error instanceof CosignerError ? error.code : "E-CLI-001")
    throw error
  }
}

/**
 * Writes the leaf for auditors if no node does it. Anybody who has file and password can read without a trace, at least on a copy. So the
 * command goes on even if the leaf cannot be written, as beside a node without its socket.
 */
export function recordAlone(db: string, { command }: Pick<AdminCommand, "command">, password: Secret): void {
  try {
    using store = openStore(db, password, { readOnly: false })
    requireNewest(store)
    store.audit.record(Date.now(), { kind: "command", facts: { command, by: "file" } })
  } catch (error) {
    if (!(error instanceof CosignerError)) throw error
  }
}

export const showShown = ({ out }: CommandBase, { value, lines }: Shown): void => out.result(value, lines)
