/**
 * The runbook: for every code of class fault or bug what brings it about, how to tell the causes apart, what to do, and how to know
 * that it is over. docs/reference/errors.md is made of it; the program itself shows a code's next step and no more.
 */
import type { Code } from "../errors.ts"
import { alarmGuides } from "./runbook/alarms.ts"
import type { Guide } from "./runbook/guide.ts"
import { processGuides } from "./runbook/process.ts"
import { riskGuides } from "./runbook/risk.ts"
import { storeGuides } from "./runbook/store.ts"
import { taskGuides } from "./runbook/tasks.ts"

export const RUNBOOK: Readonly<Partial<Record<Code, Guide>>> = {
  ...alarmGuides,
  ...processGuides,
  ...riskGuides,
  ...storeGuides,
  ...taskGuides,
}
