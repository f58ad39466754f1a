/** `cosigner approve list|show`: the tasks that wait for people, each read here. */
import { EXIT } from "../../errors/entry.ts"
import type { WaitingTask } from "../../kit/approving/desk.ts"
import { limitOption } from "../client/vault.ts"
import { command, flag, required } from "../command.ts"
import { openDesk } from "./desk.ts"
import { deskOptions } from "./options.ts"
import { shownJson, shownLines } from "./shown.ts"
import { watchDesk } from "./watch.ts"

export const list = command({
  summary: "List what waits for people, each task read here",
  details: "With --watch new ones are printed as they come, one JSON value a line with --json, until a signal ends it.",
  options: { ...deskOptions, limit: limitOption, watch: flag("--watch", "wait for new ones") },
  run: async (base) => {
    const { options, out } = base
    using opened = await openDesk(base, options)
    const { desk, people } = opened
    if (!options.watch) {
      const waiting = await desk.waiting(options.limit)
      const lines = waiting.flatMap((one) => shownLines(one, people))
      out.result(
        waiting.map((one) => shownJson(one, people)),
        lines.length === 0 ? ["Nothing waits for an approval."] : lines,
      )
      return EXIT.ok
    }
    const ended = new AbortController()
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => ended.abort())
    const tell = (one: WaitingTask) => out.result(shownJson(one, people), shownLines(one, people))
    await watchDesk(desk, { most: options.limit, tell, note: out.note, signal: ended.signal })
    return EXIT.ok
  },
})

export const show = command({
  summary: "Show a task that waits: what it does, and what nobody here could verify",
  args: { id: required("request-id", "as `cosigner approve list` shows it") },
  options: deskOptions,
  run: async (base) => {
    const { args, options, out } = base
    using opened = await openDesk(base, options)
    const { desk, people } = opened
    const tasks = await desk.open(args.id)
    out.result(
      tasks.map((one) => shownJson(one, people)),
      tasks.flatMap((one) => shownLines(one, people)),
    )
    return EXIT.ok
  },
})
