/**
 * Describes the payloads of a signing request in words, with the same decoders that nodes use. It runs in the console's thread, so that a
 * large payload does not delay the engine. Nothing relies on the description: each node reads the payload itself.
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

/** The longest task document that the console reads, bytes; nodes read longer ones. */
export const MOST_DOCUMENT = 192 * 1024
const MOST_INTENTS = 8
const MOST_TEXT = 4096

/** Reads the documents of a request's tasks, each in base64, or "" for one that is longer than MOST_DOCUMENT. */
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

/**
 * The settings of a node without configuration, with one addition: a path also stands for the chains of waas.toml that have its coin
 * type.
 */
const settingsFor = (chains: readonly KnownChain[]): typeof DEFAULT_INTENT_SETTINGS => ({
  ...DEFAULT_INTENT_SETTINGS,
  chainsOf: (path) => {
    const coinType = path[1]
    const own = chains.filter((chain) => chain.coinType === coinType).map(({ caip2 }) => caip2)
    return [...new Set([...DEFAULT_INTENT_SETTINGS.chainsOf(path), ...own])]
  },
})
