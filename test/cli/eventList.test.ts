/** `event list` on a node's database: what an operator sees of events that a server never took. */
import { expect, test } from "bun:test"
import { claimOf } from "../store/fixtures.ts"
import { Home } from "../support/nodeHome.ts"
import { cli } from "./world.ts"

const SERVER = "http://127.0.0.1:9/v2/event"
const body = JSON.stringify({ event_id: "e1", data: { request_id: "task-7" } })

test("an event that a server never took is listed, with its body in JSON", async () => {
  using home = new Home()
  {
    using store = home.create(0)
    store.outbox.subscribe([{ server: SERVER, eventTypes: ["request.keysign.failed"] }])
    const events = ["e1", "e2"].map((eventId, i) => ({
      eventId,
      eventType: "request.keysign.failed",
      createdMs: 1_795_340_000_000 + i,
      body,
    }))
    store.tasks.claim({ ...claimOf("task-7"), events })
    store.outbox.attempted(SERVER, 1, 1_795_340_060_000)
    store.outbox.failed(SERVER, 1)
  }
  const run = (...words: readonly string[]) =>
    cli(["event", "list", "--db", home.db, "--key-file", home.keyFile, ...words])
  const people = await run()
  expect({ exit: people.exit, stderr: people.stderr }).toEqual({ exit: 0, stderr: "" })
  expect(people.stdout.trimEnd().split("\n")).toEqual([
    `Event servers with a backlog: 1, from ${home.db}`,
    `    ${SERVER}: 1 waiting, 1 never taken`,
    expect.stringContaining(`request.keysign.failed e1 (request task-7): ${SERVER}, 1 tries, the last `),
  ])
  expect(JSON.parse((await run("--json")).stdout)).toEqual({
    servers: [{ server: SERVER, pending: 1, failed: 1 }],
    not_taken: [
      {
        server: SERVER,
        event_id: "e1",
        event_type: "request.keysign.failed",
        request_id: "task-7",
        created_ms: 1_795_340_000_000,
        tries: 1,
        last_try_ms: 1_795_340_060_000,
        body,
      },
    ],
  })
})
