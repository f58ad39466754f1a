/** An exported log verifies; any change of it, of a proof, or of the tree that is signed for, does not. COSIGNER_LONG=1: ten thousand changes. */
import { expect, test } from "bun:test"
import { checkpointText, parseSigned } from "../../src/audit/checkpoint.ts"
import { leafBytes } from "../../src/audit/entry.ts"
import { CHECKPOINT, COSIGNED, ExportProblem, LEAVES, linesOf, verifyExport } from "../../src/audit/exported.ts"
import { inclusionProof } from "../../src/audit/merkle.ts"
import { noteText } from "../../src/audit/note.ts"
import { parseProof, proofText, provenLeaf } from "../../src/audit/proof.ts"
import { bundleOf, leavesOf, tilePath, tilesOf } from "../../src/audit/tiles.ts"
import { type Bytes, concat, equal, utf8 } from "../../src/bytes.ts"
import { SeededRandom } from "../support/seededRandom.ts"
import {
  checkpointOf,
  type Files,
  filesOf,
  LOG,
  leafNo,
  leaves,
  OTHER_LOG,
  readerOf,
  subtreesOf,
  witnessNo,
} from "./world.ts"

const MUTATIONS = process.env["COSIGNER_LONG"] === "1" ? 10_000 : 250
const WITNESSES = [witnessNo(1), witnessNo(2)]
const OPTIONS = { key: LOG.key, witnesses: WITNESSES.map(({ key }) => key), isPartial: false }

const problemOf = (files: Files, options = OPTIONS): string => {
  try {
    verifyExport(readerOf(files), options)
    return ""
  } catch (error) {
    if (error instanceof ExportProblem) return `${error.path}: ${error.message}`
    throw error
  }
}

test("logs of many sizes verify, with who cosigned and when", () => {
  for (const size of [0, 1, 2, 255, 256, 257, 700]) {
    const seen: number[] = []
    const verified = verifyExport(readerOf(filesOf(leaves(size), Math.floor(size / 2), WITNESSES)), {
      ...OPTIONS,
      onLeaf: ({ seq }) => seen.push(seq),
    })
    expect([verified.size, seen.length, verified.first]).toEqual([size, size, 0])
    expect(verified.cosigned).toEqual(
      WITNESSES.map(({ key: { name } }) => ({ name, atMs: 99_000, size: Math.floor(size / 2) })),
    )
  }
})

test("a part verifies as a part, and says from where", () => {
  const files = filesOf(leaves(700), 700, WITNESSES)
  files.delete("tile/entries/000")
  files.set(LEAVES, linesOf(leaves(700).slice(256)))
  expect(problemOf(files)).toContain("missing from the beginning")
  expect(verifyExport(readerOf(files), { ...OPTIONS, isPartial: true }).first).toBe(256)
  files.delete("tile/entries/001")
  files.delete("tile/entries/002.p/188")
  files.set(LEAVES, utf8(""))
  expect(verifyExport(readerOf(files), { ...OPTIONS, isPartial: true }).first).toBe(700)
  // A hole is not a part.
  const hole = filesOf(leaves(700), 700, WITNESSES)
  hole.delete("tile/entries/001")
  expect(problemOf(hole, { ...OPTIONS, isPartial: true })).not.toBe("")
})

test("a size that no folder holds is refused at once, whoever signed it", () => {
  const files = filesOf(leaves(3))
  for (const size of [2 ** 40, Number.MAX_SAFE_INTEGER]) {
    files.set(CHECKPOINT, utf8(checkpointOf(leaves(3), { over: { size } })))
    for (const isPartial of [false, true]) {
      expect(problemOf(files, { ...OPTIONS, witnesses: [], isPartial })).toContain("most of the tiles are missing")
    }
  }
})

test("a log begins with every checkpoint of before, or does not verify", () => {
  const all = leaves(700)
  const earlier = (size: number, text = checkpointOf(all.slice(0, size))) => [{ path: `at ${size}`, text }]
  const problem = (options: { readonly earlier: ReturnType<typeof earlier> }) =>
    problemOf(filesOf(all), { ...OPTIONS, witnesses: [], ...options })
  for (const size of [0, 1, 256, 699, 700]) expect(problem({ earlier: earlier(size) })).toBe("")
  const forked = checkpointOf(all.slice(0, 300).with(3, leafNo(3, "forked")))
  expect(problem({ earlier: earlier(300, forked) })).toContain("at 300: the log")
  expect(problem({ earlier: earlier(701, checkpointOf(leaves(701))) })).toContain("does not begin")
  expect(problem({ earlier: earlier(9, checkpointOf(all.slice(0, 9), { by: OTHER_LOG })) })).toContain("not signed")
  expect(problem({ earlier: earlier(9, "x") })).toContain("no signed checkpoint")
})

test("what the log's own key signed is no log either, where a leaf names another place or the origin another restore", () => {
  const problem = (all: readonly Bytes[], origin = LOG.key.name) => {
    const files = filesOf(all)
    files.set(CHECKPOINT, utf8(checkpointOf(all, { over: { origin } })))
    return problemOf(files, { ...OPTIONS, witnesses: [] })
  }
  const restored = leafBytes({ kind: "restore", facts: { incarnation: 7 }, seq: 2, atMs: 9000 })
  const all = [...leaves(2), restored]
  expect([problem(leaves(3)), problem(all, `${LOG.key.name}/7`)]).toEqual(["", ""])
  expect(problem(leaves(3).with(1, leafNo(7)))).toContain("leaf 1 names another place")
  for (const origin of [LOG.key.name, `${LOG.key.name}/8`]) expect(problem(all, origin)).toContain("the last restore")
  expect(problem(leaves(3), `${LOG.key.name}/7`)).toContain("the last restore")
})

// ---- changes -------------------------------------------------------------------------------------------------------

const SIZE = 530
const GOOD = leaves(SIZE)
const good = filesOf(GOOD, 300, WITNESSES)

type Change = (files: Files, random: SeededRandom) => void

const onFile =
  (change: (bytes: Bytes, random: SeededRandom) => Uint8Array): Change =>
  (files, random) => {
    const path = random.pick([...files.keys()].sort())
    files.set(path, Uint8Array.from(change(files.get(path) ?? utf8(""), random)))
  }

/** The same bundle in other order, or with other leaves; the lines go along, so that the tree alone can tell. */
const onLeaves =
  (change: (all: Bytes[], random: SeededRandom) => readonly Bytes[]): Change =>
  (files, random) => {
    const all = change([...GOOD], random)
    for (const tile of tilesOf(SIZE)) {
      if (tile.level !== "entries") continue
      files.set(tilePath(tile), bundleOf(all.slice(tile.index * 256, tile.index * 256 + tile.width)))
    }
    files.set(LEAVES, linesOf(all))
  }

const swapped = <T>(all: T[], i: number, j: number): T[] => {
  const [a, b] = [all[i], all[j]]
  if (a !== undefined && b !== undefined) [all[i], all[j]] = [b, a]
  return all
}

const CHANGES: Readonly<Record<string, Change>> = {
  flip: onFile((bytes, random) => {
    const [at, bit] = [random.below(bytes.length), random.below(8)]
    return bytes.map((byte, n) => (n === at ? byte ^ (1 << bit) : byte))
  }),
  cut: onFile((bytes, random) => bytes.subarray(0, random.below(bytes.length))),
  behead: onFile((bytes, random) => bytes.subarray(1 + random.below(bytes.length - 1))),
  insert: onFile((bytes, random) => {
    const at = random.below(bytes.length + 1)
    return concat(bytes.subarray(0, at), Uint8Array.of(random.below(256)), bytes.subarray(at))
  }),
  double: onFile((bytes) => concat(bytes, bytes)),
  remove: (files, random) =>
    void files.delete(random.pick([...files.keys()].filter((path) => path !== COSIGNED).sort())),
  add: (files, random) =>
    void files.set(`tile/${random.pick(["0/009", "entries/003.p/1", "2/000.p/1", "x"])}`, utf8("x")),
  rename: (files, random) => {
    const [one, other] = [random.pick([...files.keys()].sort()), random.pick([...files.keys()].sort())]
    const [a, b] = [files.get(one), files.get(other)]
    if (a === undefined || b === undefined || equal(a, b)) return void files.delete(CHECKPOINT)
    files.set(one, b)
    files.set(other, a)
  },
  reorder: onLeaves((all, random) => {
    const at = random.below(SIZE - 1)
    return swapped(all, at, at + 1)
  }),
  swap: onLeaves((all, random) => swapped(all, random.below(SIZE / 2), SIZE / 2 + random.below(SIZE / 2))),
  rewrite: onLeaves((all, random) => {
    const at = random.below(SIZE)
    return all.with(at, leafNo(at, "another payment"))
  }),
  forget: onLeaves((all, random) => all.toSpliced(random.below(SIZE), 1)),
  /** Another tree, whole in itself, under the old checkpoint. */
  fork(files, random) {
    const at = random.below(SIZE)
    const forked = filesOf(GOOD.with(at, leafNo(at, "forked")), 300, WITNESSES)
    for (const path of [CHECKPOINT, COSIGNED]) forked.set(path, files.get(path) ?? utf8(""))
    files.clear()
    for (const [path, bytes] of forked) files.set(path, bytes)
  },
  /** The log's own key signs another tree; the witnesses' one tells. */
  forkByLog(files, random) {
    const at = random.below(300)
    const forked = GOOD.with(at, leafNo(at, "forked by the log"))
    const old = files.get(COSIGNED) ?? utf8("")
    files.clear()
    for (const [path, bytes] of filesOf(forked)) files.set(path, bytes)
    files.set(COSIGNED, old)
  },
  /** The log cut back behind what witnesses saw. */
  cutByLog(files, random) {
    const old = files.get(COSIGNED) ?? utf8("")
    files.clear()
    for (const [path, bytes] of filesOf(GOOD.slice(0, random.below(300)))) files.set(path, bytes)
    files.set(COSIGNED, old)
  },
  forgeCheckpoint(files, random) {
    const over = random.pick([
      {},
      { size: SIZE - 1 },
      { root: subtreesOf(GOOD)(0, random.below(SIZE)) },
      { origin: "cosigner/test/7" },
    ])
    const by = Object.keys(over).length === 0 ? OTHER_LOG : random.pick([OTHER_LOG, LOG])
    files.set(
      random.pick([CHECKPOINT, COSIGNED]),
      utf8(checkpointOf(GOOD, { by, witnesses: WITNESSES, over: { size: 301, ...over } })),
    )
  },
  withoutWitness(files, random) {
    const some = [random.pick(WITNESSES)]
    files.set(COSIGNED, utf8(checkpointOf(GOOD.slice(0, 300), { witnesses: some })))
  },
}

test(`${MUTATIONS} changes of an exported log are found, every one`, () => {
  expect(problemOf(good)).toBe("")
  const random = new SeededRandom(Number(process.env["COSIGNER_SEED"] ?? 1))
  const names = Object.keys(CHANGES)
  for (let n = 0; n < MUTATIONS; n++) {
    const name = names[n % names.length] ?? ""
    const files: Files = new Map(good)
    CHANGES[name]?.(files, random)
    if (problemOf(files) === "") throw new Error(`${name} was not found, change ${n}`)
  }
})

test("a tree that the log signed twice in two forms is told apart by its checkpoints alone", () => {
  const [one, two] = [filesOf(GOOD), filesOf(GOOD.with(3, leafNo(3, "forked")))]
  expect([problemOf(one, { ...OPTIONS, witnesses: [] }), problemOf(two, { ...OPTIONS, witnesses: [] })]).toEqual([
    "",
    "",
  ])
  expect(equal(one.get(CHECKPOINT) ?? utf8(""), two.get(CHECKPOINT) ?? utf8(""))).toBe(false)
})

// ---- proofs --------------------------------------------------------------------------------------------------------

function proofOf(index: number): string {
  const signed = parseSigned(checkpointOf(GOOD, { witnesses: WITNESSES }))
  const leaf = GOOD[index]
  if (signed === undefined || leaf === undefined) throw new Error("it is there")
  return proofText({ leaf, index, path: inclusionProof(index, SIZE, subtreesOf(GOOD)), signed })
}

const proven = (text: string) => {
  const proof = parseProof(text)
  return proof === undefined ? "not read" : provenLeaf(proof, LOG.key)
}

test("a proof shows its leaf, and nothing else; every other byte of it is found", () => {
  const text = proofOf(77)
  expect(proven(text)).toMatchObject({ seq: 77, facts: { task: "task-77" } })
  expect(typeof proven(text.replace("index 77", "index 78"))).toBe("string")
  expect(typeof proven(text.replace("tlog-proof@v1", "tlog-proof@v2"))).toBe("string")
  const signed = parseSigned(checkpointOf(GOOD, { by: OTHER_LOG }))
  const proof = parseProof(text)
  expect(proof && signed && provenLeaf({ ...proof, signed }, LOG.key)).toContain("not signed")
  const [first = ""] = text.split(
    noteText({
      text: checkpointText(proof?.signed.checkpoint ?? { origin: "", size: 0, root: utf8("") }),
      signatures: [],
    }),
  )
  const random = new SeededRandom(7)
  for (let n = 0; n < 300; n++) {
    const at = random.below(first.length)
    const changed =
      text.slice(0, at) + String.fromCharCode(text.charCodeAt(at) ^ (1 << random.below(6))) + text.slice(at + 1)
    expect(typeof proven(changed)).toBe("string")
  }
})

test("a bundle is so many leaves, whole", () => {
  const bundle = bundleOf(GOOD.slice(0, 3))
  expect(leavesOf(bundle, 3)).toEqual(GOOD.slice(0, 3))
  for (const width of [2, 4]) expect(leavesOf(bundle, width)).toBeUndefined()
  expect(leavesOf(bundle.slice(0, -1), 3)).toBeUndefined()
  expect(tilePath({ level: 0, index: 1_234_067, width: 256 })).toBe("tile/0/x001/x234/067")
  expect([...tilesOf(70_000)].filter(({ level }) => level !== "entries")).toHaveLength(273 + 1 + 1 + 1 + 1)
})
