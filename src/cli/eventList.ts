/** `cosigner event list`: the events that servers have not got yet, and the events that they never took. */
import { EXIT } from "../errors/entry.ts"
import { showEvents } from "../ops/inventory/events.ts"
import { showBeside } from "./besideNode.ts"
import { command, integer, valueOr } from "./command.ts"

export const list = command({
  summary: "Show what event servers are still to get, and the events that they never took",
  details: [
    "An event whose tries are spent (retry_times) is kept unchanged and not sent again. It is deleted when the task",
    "journal deletes its task. With --json each event has its body. A running node answers without the password.",
  ].join("\n"),
  options: { limit: valueOr("--limit <n>", "of each server's events so many, the newest", "100", integer(1, 1000)) },
  examples: [["cosigner event list --json > events.json", "for the event server's operator"]],
  run: async (base) => {
    const { limit } = base.options
    await showBeside(base, { command: "events", limit }, (store) => showEvents(store, limit))
    return EXIT.ok
  },
})
