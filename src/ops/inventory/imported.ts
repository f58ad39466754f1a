/** Whether a group was imported from recovery files, and whether its old shares are known to be destroyed (threshold.md 6.5). */
import type { GroupPublic } from "../../keys/group.ts"

/** "" for a group that was made here, or of which this node was not a dealer. */
type ImportState = "" | "unconfirmed" | "confirmed"

export function importStateOf(epochs: readonly GroupPublic[], groupId: string): ImportState {
  const imported = epochs.find((epoch) => epoch.groupId === groupId && epoch.mode === "import")
  if (imported === undefined) return ""
  return imported.certificate?.length === 0 ? "unconfirmed" : "confirmed"
}
