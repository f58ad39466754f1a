/**
 * What the payloads of a signing request do, in words: read by the decoders that nodes read with, in the console's thread, so that
 * a large one costs the engine nothing. Nobody relies on it: each node reads the payload itself.
 */
import { copy } from "../../bytes.ts"
import { CosignerError } from "../../errors.ts"
import { cut } from "../../panel/schemas.ts"
import { DEFAULT_INTENT_SETTINGS, hasPayloads, intentKeyOf, isUnread, readIntents } from "../../tasks/intents.ts"
import { decodeRecordedTask } from "../../wire/task.ts"
import type { ConsoleRequest } from "./documents.ts"

export type ReadPayloads = Pick<ConsoleRequest, "intents" | "unread">

const NOTHING_READ: ReadPayloads = { intents: [], unread: "" }

/** A chain that WaaS may use, and the coin type of its paths. */
export interface KnownChain {
  readonly caip2: string
  readonly coinType: number
}

/** Bytes of one task's document. Nodes read longer ones. */
export const MOST_DOCUMENT = 192 * 1024
const MOST_INTENTS = 8
const MOST_TEXT = 4096

/** Of the documents of a request's tasks, base64, "" for one that is too long. Never rejects. */
export async function readRequest(documents: readonly string[], chains: readonly KnownChain[]): Promise<ReadPayloads> {
  const intents: ConsoleRequest["intents"][number][] = []
  for (const document of documents) {
    const one = document === "" ? TOO_LONG : await readDocument(document, chains)
    if (one.unread !== "") return { intents, unread: one.unread }
    intents.push(...one.intents)
    if (intents.length >= MOST_INTENTS) break
  }
  const left = intents.length > MOST_INTENTS ? `${intents.length - MOST_INTENTS} more payloads are not shown` : ""
  return { intents: intents.slice(0, MOST_INTENTS), unread: left }
}

const TOO_LONG: ReadPayloads = { intents: [], unread: "a payload is too long to be read here; nodes read it" }

async function readDocument(text: string, chains: readonly KnownChain[]): Promise<ReadPayloads> {
  const task = decodeRecordedTask(copy(Buffer.from(text, "base64")))
  const settings = settingsFor(chains)
  if ("problem" in task || !hasPayloads(task, settings)) return NOTHING_READ
  try {
    const read = await readIntents(task, intentKeyOf(task.root_pub_key), settings)
    if (isUnread(read)) return { intents: [], unread: cut(`${read.code} ${read.message} (${read.at})`, MOST_TEXT) }
    return {
      intents: read.map(({ hash, text: lines }) => ({ hash, text: cut(lines.join("\n"), MOST_TEXT) })),
      unread: "",
    }
  } catch (error) {
    if (error instanceof CosignerError) return { intents: [], unread: cut(`${error.code} ${error.message}`, MOST_TEXT) }
    throw error
  }
}

/** The main networks of a path's coin type, as at a node that has no names, and those that waas.toml names. */
const settingsFor = (chains: readonly KnownChain[]): typeof DEFAULT_INTENT_SETTINGS => ({
  ...DEFAULT_INTENT_SETTINGS,
  chainsOf: (path) => {
    const coinType = path[1]
    const own = chains.filter((chain) => chain.coinType === coinType).map(({ caip2 }) => caip2)
    return [...new Set([...DEFAULT_INTENT_SETTINGS.chainsOf(path), ...own])]
  },
})
