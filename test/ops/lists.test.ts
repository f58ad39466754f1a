/** What the status port's lists are told of tasks, in the order in which claims and steps come to the disk. */
import { expect, test } from "bun:test"
import { silentLog } from "../../src/log.ts"
import { createLists, type Lists } from "../../src/ops/lists.ts"
import type { Store } from "../../src/store/store.ts"
import { approved, claimOf, Folder, partyNo } from "../store/fixtures.ts"

const listsOver = (store: Store): Lists => createLists(store, partyNo(1), silentLog)

/** The states that the port is told at the next look, by task. */
function told(lists: Lists): Readonly<Record<string, string | undefined>> {
  lists.look()
  const { put, gone } = lists.feeds.tasks.next()
  expect(gone).toEqual([])
  return Object.fromEntries(put.map(({ key, labels }) => [key, labels["state"]]))
}

test("a claim that a look finds not on the disk yet is shown once it is, and so is what comes of it", () => {
  using folder = new Folder()
  const store = folder.create()
  const lists = listsOver(store)
  lists.taskChanged("t1", true)
  expect(told(lists)).toEqual({})
  store.tasks.claim(claimOf("t1"))
  expect(told(lists)).toEqual({ t1: "claimed" })
  approved(store, "t1")
  lists.taskChanged("t1", false)
  expect(told(lists)).toEqual({ t1: "approved" })
})

test("one that comes to the disk with its first step is shown then", () => {
  using folder = new Folder()
  const store = folder.create()
  const lists = listsOver(store)
  lists.taskChanged("t1", true)
  expect(told(lists)).toEqual({})
  store.tasks.claim(claimOf("t1"))
  approved(store, "t1")
  lists.taskChanged("t1", false)
  expect(told(lists)).toEqual({ t1: "approved" })
})

test("a claim that was taken back is never shown, and not waited for without end", () => {
  using folder = new Folder()
  const store = folder.create()
  const lists = listsOver(store)
  lists.taskChanged("t1", true)
  for (let look = 0; look < 100; look++) expect(told(lists)).toEqual({})
  store.tasks.claim(claimOf("t1"))
  expect(told(lists)).toEqual({})
})

test("a step of a task that is older than all that are shown does not make it the newest", () => {
  using folder = new Folder()
  const store = folder.create()
  store.tasks.claim(claimOf("t1"))
  const lists = listsOver(store)
  expect(told(lists)).toEqual({ t1: "claimed" })
  lists.feeds.tasks.replace([])
  lists.feeds.tasks.next()
  lists.taskChanged("t1", false)
  expect(told(lists)).toEqual({})
})
