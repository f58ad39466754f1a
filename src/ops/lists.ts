/** The lists of the status port, fed from the node's records: which entries changed, and the document of each. */
import { toHex } from "../bytes.ts"
import type { GroupPublic } from "../keys/group.ts"
import type { PartyId } from "../keys/party.ts"
import type { Log } from "../log.ts"
import { createFeed, type Feed, type FeedOptions } from "../panel/feed.ts"
import { checked } from "../panel/schemas.ts"
import { AWAITS_REFRESH, BAN, CHECKS, GROUP, STRIKES } from "../store/records.ts"
import type { Store } from "../store/store.ts"
import { groupDocument, taskDocument } from "./documents.ts"
import { groupSchema, taskSchema } from "./port/documents.ts"

const MOST_TASKS = 1_000
const MOST_GROUPS = 2_000
/** Per look, which is one second. */
const PORTION: FeedOptions["portion"] = { documents: 100, characters: 1024 * 1024 }
/** Looks between two searches for tasks that the journal has forgotten. */
const FORGOTTEN_LOOKS = 60
/** After this many looks a claim that is not on the disk counts as taken back. */
const FORSAKEN_LOOKS = 60

export interface Lists {
  readonly feeds: { readonly tasks: Feed; readonly groups: Feed }
  taskChanged(taskId: string, isNew: boolean): void
  /** Records of these kinds were written. */
  written(kinds: ReadonlySet<string>): void
  /** Called once per look, before the portions are sent. */
  look(): void
}

/** Records that go into a group's document. */
const OF_GROUPS: ReadonlySet<string> = new Set([GROUP, BAN, CHECKS, AWAITS_REFRESH, STRIKES].map(({ name }) => name))

export function createLists(store: Store, self: PartyId, log: Log): Lists {
  const tasks = createFeed({
    name: "tasks",
    most: MOST_TASKS,
    portion: PORTION,
    log,
    open: () => (taskId) => {
      const record = store.tasks.get(taskId)
      if (record === undefined) return undefined
      const document = checked(taskSchema, taskDocument(record, store.journal.waitsFor(taskId)))
      return { text: JSON.stringify(document), labels: { state: record.state, type: record.type } }
    },
  })
  const groups = createFeed({
    name: "groups",
    most: MOST_GROUPS,
    portion: PORTION,
    log,
    open: () => {
      const struck = store.strikes.refused()
      const all = store.groups.list()
      const sources = {
        bans: store.bans,
        strikes: { refused: () => struck },
        freezes: store.freezes,
        self,
        epochs: () => all,
      }
      const byKey = new Map(all.map((group) => [keyOf(group), group]))
      return (key) => {
        const group = byKey.get(key)
        if (group === undefined) return undefined
        return { text: JSON.stringify(checked(groupSchema, groupDocument(group, sources))), labels: {} }
      }
    },
  })
  tasks.replace(store.tasks.newest(MOST_TASKS))
  /** Tasks that are claimed and not on the disk yet, with the number of looks that they have waited. */
  const unwritten = new Map<string, number>()
  /** Whether a task that was waited for is on the disk now; from then on it is shown. */
  const isWritten = (taskId: string): boolean => {
    if (!unwritten.has(taskId) || !store.tasks.has(taskId)) return false
    unwritten.delete(taskId)
    tasks.added(taskId)
    return true
  }
  let areGroupsStale = true
  let looks = 0
  return {
    feeds: { tasks, groups },
    taskChanged(taskId, isNew) {
      if (isNew) unwritten.set(taskId, 0)
      if (!isWritten(taskId)) tasks.changed(taskId)
    },
    written(kinds) {
      for (const kind of kinds) if (OF_GROUPS.has(kind)) areGroupsStale = true
    },
    look() {
      for (const [taskId, waited] of unwritten) {
        if (isWritten(taskId)) continue
        // A claim that was taken back is never written.
        if (waited >= FORSAKEN_LOOKS) unwritten.delete(taskId)
        else unwritten.set(taskId, waited + 1)
      }
      if (++looks % FORGOTTEN_LOOKS === 0) tasks.dropUnless((taskId) => store.tasks.has(taskId))
      // A pass over all groups ends before the next one begins. So each look costs one portion, however often they change.
      if (!areGroupsStale || !groups.isSettled()) return
      areGroupsStale = false
      groups.replace(shownGroups(store.groups.list()))
    },
  }
}

const keyOf = ({ groupId, epochId }: GroupPublic): string => `${groupId} ${toHex(epochId)}`

/** From old to new. If there are too many, those that sign are kept before those that do not. */
function shownGroups(all: readonly GroupPublic[]): readonly string[] {
  const rank = ({ status }: GroupPublic): number => (status === "ACTIVE" ? 1 : 0)
  const kept =
    all.length <= MOST_GROUPS
      ? all
      : [...all].sort((a, b) => rank(a) - rank(b) || a.createdMs - b.createdMs).slice(-MOST_GROUPS)
  return [...kept].sort((a, b) => a.createdMs - b.createdMs).map(keyOf)
}
