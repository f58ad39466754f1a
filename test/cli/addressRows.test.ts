import { expect, test } from "bun:test"
import fc from "fast-check"
import { addressRows } from "../../src/cli/addressRows.ts"
import { AddressList, type ListRow } from "../../src/keys/addressList.ts"
import { ChildKeys } from "../../src/keys/childKeys.ts"
import { rootPrivateKey } from "../../src/keys/extendedKey.ts"

/** All rows of bytes that arrive in pieces of `size`, and why there are no more. */
async function rows(content: string | Uint8Array, size = 3) {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
  const read: ListRow[] = []
  try {
    for await (const row of addressRows(pieces(), "list.csv")) read.push(row)
    return { read }
  } catch (error) {
    return { read, error: error instanceof Error ? error.message : "" }
  }
}

const HEADING = "wallet name,coin,address,memo,address label,HD path,child publickey"

/** What an address list writes for a row with these cells. */
function written(cells: readonly string[]): string {
  const root = rootPrivateKey("secp256k1", 77n, new Uint8Array(32))
  const list = new AddressList(new Map([["secp256k1", ChildKeys.ofPrivate(root)]]), false, "list.csv")
  list.heading({ line: 1, cells: HEADING.split(",") })
  const result = list.row({ line: 2, cells })
  return result.kind === "derived" ? result.text : ""
}

test("what a list writes is read back, in pieces of any size", async () => {
  const cell = fc.string({ unit: fc.constantFrom("a", "ß", ",", '"', "\n", "\r", " ", "😀"), maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 1, max: 9 }),
      async (table, size) => {
        const lists = table.map(([name, label]) => [name, "ETH", "", "", label, "m/1", ""])
        const { read, error } = await rows(lists.map(written).join(""), size)
        expect(error).toBeUndefined()
        expect(read.map(({ cells }) => cells.slice(0, 7))).toEqual(lists)
      },
    ),
    { seed: 4180, numRuns: 100 },
  )
})

test("line ends, empty lines, a byte order mark, and the line numbers of rows", async () => {
  const text = '\uFEFFa,b\r\n\r\n"c\nd",e\n\nf,\n"g\r\nh",i\nj,k'
  expect(await rows(text)).toEqual({
    read: [
      { line: 1, cells: ["a", "b"] },
      { line: 3, cells: ["c\nd", "e"] },
      { line: 6, cells: ["f", ""] },
      { line: 7, cells: ["g\r\nh", "i"] },
      { line: 9, cells: ["j", "k"] },
    ],
  })
  expect(await rows("")).toEqual({ read: [] })
})

test("a quote in the wrong place ends the reading, by its line and without the text of any cell", async () => {
  for (const [text, why] of [
    ['ok,1\nsecret"b,2\nok,4\n', "line 2: a quote stands inside an unquoted field"],
    ['ok,1\n\n"secret"b,3\nok,4\n', "line 3: text follows a closing quote"],
    ['ok,1\n"secret', "line 2: a quoted field does not end"],
    [`a,b\n"${"secret".repeat(20_000)}`, "line 2: the row has more than 65536 bytes; is a quote missing?"],
  ] as const) {
    const { error } = await rows(text, 1000)
    expect(error).toContain(why)
    expect(error).not.toContain("secret")
  }
})

test("bytes that are not UTF-8 are no text", async () => {
  expect(await rows(new Uint8Array([97, 44, 0xff, 10]))).toMatchObject({ read: [], error: expect.any(String) })
})
