/**
 * Places outside of the other nodes that get checkpoints (docs/spec/audit.md 4.2): a folder, a command, witnesses by URL. Each belongs to
 * somebody else and may be away, slow or wrong. Nothing in the node waits for it.
 */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { SignedCheckpoint } from "../audit/checkpoint.ts"
import { type NoteKey, noteText, parseNoteKey } from "../audit/note.ts"
import { MAX_WITNESS_TEXT } from "../audit/witnessing.ts"
import { utf8 } from "../bytes.ts"
import type { Config } from "../config/config.ts"
import { CosignerError, errorText } from "../errors.ts"
import { errnoOf, writeNewAway } from "../files.ts"
import type { Log } from "../log.ts"
import { type Fetch, readBounded, requestOptions } from "../outbound.ts"

/** The error of an anchor or witness that did not take a checkpoint. */
export const refusedBy = (name: string, why: string): CosignerError<"E-AUD-010"> =>
  new CosignerError("E-AUD-010", { name, why })

export const asRefused = (name: string, error: unknown): CosignerError =>
  error instanceof CosignerError ? error : refusedBy(name, errorText(error))

const COMMAND_MS = 30_000
const WITNESS_MS = 10_000

interface Anchor {
  readonly name: string
  /** Rejects if the anchor did not take it. */
  readonly put: (signed: SignedCheckpoint) => Promise<void>
}

/** A witness that is asked over HTTP (C2SP tlog-witness). */
export interface RemoteWitness {
  readonly url: string
  readonly key: NoteKey
  /** Rejects if there was no answer. */
  readonly ask: (text: string) => Promise<{ readonly status: number; readonly text: string }>
}

export const remoteWitnesses = ({ witnesses }: Config["audit"], fetch: Fetch): readonly RemoteWitness[] =>
  witnesses.flatMap(({ url, key: text }) => {
    const key = parseNoteKey(text)
    if (key === undefined) return []
    return [{ url, key, ask: (asked: string) => posted(fetch, `${url.replace(/\/+$/, "")}/add-checkpoint`, asked) }]
  })

async function posted(fetch: Fetch, url: string, body: string) {
  const signal = AbortSignal.timeout(WITNESS_MS)
  const response = await fetch(url, { ...requestOptions(), method: "POST", body, signal })
  const text = (await readBounded(response, MAX_WITNESS_TEXT))?.toString("utf8") ?? ""
  return { status: response.status, text }
}

export function anchorsOf({ anchor_folder: folder, anchor_command: words }: Config["audit"]): readonly Anchor[] {
  const anchors: Anchor[] = []
  if (folder !== undefined) anchors.push({ name: folder, put: (signed) => inFolder(folder, signed) })
  if (words.length > 0) anchors.push({ name: words[0] ?? "", put: (signed) => byCommand(words, signed) })
  return anchors
}

/** One file for each size. On storage where nothing can be overwritten, an existing file stays and must be the same. */
async function inFolder(folder: string, { checkpoint, note }: SignedCheckpoint): Promise<void> {
  const name = checkpoint.origin.replaceAll(/[^\w-]/g, "_")
  const path = join(folder, `${name}-${String(checkpoint.size).padStart(12, "0")}.checkpoint`)
  try {
    await writeNewAway(path, noteText(note))
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error
    if ((await readFile(path, "utf8")).startsWith(`${note.text}\n`)) return
    throw refusedBy(folder, "another checkpoint of that size is there")
  }
}

async function byCommand(words: readonly string[], { note }: SignedCheckpoint): Promise<void> {
  const [program = "", ...rest] = words
  await using child = Bun.spawn([program, ...rest], {
    stdin: utf8(noteText(note)),
    stdout: "ignore",
    stderr: "ignore",
    timeout: COMMAND_MS,
    killSignal: "SIGKILL",
  })
  await child.exited
  if (child.signalCode !== null) throw refusedBy(program, `it was ended by ${child.signalCode}`)
  if (child.exitCode !== 0) throw refusedBy(program, `it ended with ${child.exitCode}`)
}

interface AnchorKeeper {
  /** Gives the newest checkpoint to each anchor that does not have it and is not busy with an earlier one. */
  put(signed: SignedCheckpoint): void
  /** The error of an anchor that does not take checkpoints; undefined if all do. */
  readonly failing: () => CosignerError | undefined
  /** Resolves when nothing is on its way. */
  readonly idle: () => Promise<unknown>
}

/** Each anchor works by itself. A failure is logged once; the next checkpoint is tried again. */
export function keepAnchors(anchors: readonly Anchor[], log: Log): AnchorKeeper {
  const failures = new Map<Anchor, CosignerError>()
  const sizes = new Map<Anchor, number>()
  const underWay = new Map<Anchor, Promise<void>>()

  function failed(anchor: Anchor, failure: CosignerError): void {
    if (!failures.has(anchor)) log.error(failure.message, { code: failure.code })
    failures.set(anchor, failure)
  }

  async function one(anchor: Anchor, signed: SignedCheckpoint): Promise<void> {
    try {
      await anchor.put(signed)
      sizes.set(anchor, signed.checkpoint.size)
      if (failures.delete(anchor)) log.info("checkpoints are taken again", { anchor: anchor.name })
    } catch (error) {
      failed(anchor, asRefused(anchor.name, error))
    } finally {
      underWay.delete(anchor)
    }
  }

  return {
    put(signed) {
      for (const anchor of anchors) {
        if (underWay.has(anchor)) failed(anchor, refusedBy(anchor.name, "it is still at the checkpoint before"))
        else if (sizes.get(anchor) !== signed.checkpoint.size) underWay.set(anchor, one(anchor, signed))
      }
    },
    failing: () => failures.values().next().value,
    idle: () => Promise.all(underWay.values()),
  }
}
