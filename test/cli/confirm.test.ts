/** The question before a person's signature, on a real terminal: `yes` alone is one. */
import { expect, test } from "bun:test"
import { join } from "node:path"

/** What the child says after its prompt was answered with these keys. */
async function answered(keys: string): Promise<string> {
  let text = ""
  const told = Promise.withResolvers<void>()
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "confirmChild.ts")], {
    terminal: {
      data(terminal, data) {
        const before = text
        text += Buffer.from(data).toString()
        if (!before.includes("Type yes: ") && text.includes("Type yes: ")) terminal.write(keys)
        if (/signed\r?\n|E-CLI-\d+ [^\n]*\n/.test(text)) told.resolve()
      },
    },
  })
  await told.promise
  await child.exited
  child.terminal?.close()
  return text
}

test("yes is shown as it is typed, and signs", async () => {
  const text = await answered("yes\n")
  expect(text).toStartWith("Approve it? Type yes: yes")
  expect(text).toContain("signed")
})

for (const [what, keys, why] of [
  ["another word", "no\n", "the answer was not yes"],
  ["an empty line", "\n", "the answer was not yes"],
  ["a beginning of yes", "y\n", "the answer was not yes"],
  ["Ctrl-C", "\x03", "the question was interrupted"],
  ["Ctrl-D", "\x04", "the question was interrupted"],
] as const) {
  test(`${what} does not`, async () => {
    const text = await answered(keys)
    expect(text).toContain(`E-CLI-048 nothing was signed and nothing sent: ${why}`)
  })
}

test("without a terminal nobody is asked", async () => {
  const child = Bun.spawn(["setsid", "--wait", process.execPath, join(import.meta.dir, "confirmChild.ts")], {
    stdin: "ignore",
  })
  expect(await child.stdout.text()).toContain("there is no terminal to ask on")
})
