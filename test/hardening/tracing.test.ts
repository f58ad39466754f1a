/** Whether others of a user may open this process's memory, by the kernel's setting. */
import { expect, test } from "bun:test"
import { tracing } from "../../src/hardening/process.ts"

const USER = 1000
const absent = (): string => {
  throw new Error("ENOENT")
}
const onLinux = test.skipIf(process.platform !== "linux")

onLinux("a setting of 1 to 3 closes it; 0, none and what is no setting are told", () => {
  for (const scope of ["1\n", "2\n", "3"]) expect(tracing(() => scope, USER)).toBeUndefined()
  for (const scope of ["0\n", "", "4", "11", "1 2"]) expect(tracing(() => scope, USER)?.code).toBe("E-OPS-012")
  expect(tracing(absent, USER)?.message).toContain("no ptrace_scope")
  expect(tracing(() => "0\n", USER)?.message).toContain("ptrace_scope is 0")
})

onLinux("root is not told: it reads every memory, whatever is set", () => {
  expect(tracing(() => "0", 0)).toBeUndefined()
})
