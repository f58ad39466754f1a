/**
 * The console of WaaS, on the main thread (formats.md 7.7): `observing` sees each commit, and once a second the present state goes to the
 * console's thread. WaaS never waits for the console, and works the same without it.
 */
import { randomBytes } from "node:crypto"
import type { Bytes } from "../../bytes.ts"
import { CosignerError, codeField, describe, errorText } from "../../errors.ts"
import { isTaken, writeNew } from "../../files.ts"
import type { Log } from "../../log.ts"
import { digestOf, type Listen, listenText, tokenIn } from "../../panel/listen.ts"
import { delayMeter } from "../../panel/loopDelay.ts"
import { type PageThread, startPageThread } from "../../panel/thread.ts"
import { errorWord } from "../files.ts"
import type { StoreWrite, WaasStore } from "../store/store.ts"
import type { KnownChain } from "./intents.ts"
import { createLooker, type LookerParts } from "./looker.ts"
import type { ToConsole } from "./messages.ts"
import { createRecent, type Recent } from "./recent.ts"
import type { ConsoleList } from "./site.ts"
import { spawnConsole } from "./spawn.ts"

export interface ConsoleSettings {
  readonly listen: Listen
  readonly tokenFile: string
}

export interface ConsoleParts extends LookerParts {
  readonly settings: ConsoleSettings
  readonly chains: readonly KnownChain[]
  readonly log: Log
  /** Makes the thread; default: `spawnConsole`. */
  readonly spawn?: () => Worker
}

export interface RunningConsole {
  /** The address of `waas.console.listen`, with the actual port. */
  readonly address: string
  /** Takes note of a durable commit of this process. */
  written(writes: readonly StoreWrite[]): void
  /** Sends the present state now; the console also does so once a second. Never rejects. */
  look(): Promise<void>
  stop(): Promise<void>
}

const LOOK_MS = 1_000
const TOKEN_BYTES = 32

/** The store, except that `written` is called with each commit once it is durable. */
export function observing(store: WaasStore, written: (writes: readonly StoreWrite[]) => void): WaasStore {
  return {
    ...store,
    async commit(writes) {
      await store.commit(writes)
      written(writes)
    },
  }
}

/** Opens the listener. Throws E-WAA-080 and E-WAA-081. */
export async function startConsole(parts: ConsoleParts): Promise<RunningConsole> {
  const { settings, log, store, now } = parts
  const token = tokenOf(settings.tokenFile, log)
  const recent = createRecent(store, log)
  let lastCommitMs: number | undefined
  const thread = await threadOf(parts, token, recent)
  const delays = delayMeter()
  const looker = createLooker({ ...parts, recent, lastCommitMs: () => lastCommitMs, delay: delays.last })
  let last: Promise<void> = Promise.resolve()
  let waiting = 0
  let isBroken = false
  let isStopped = false

  /** Looks are made one after the other. */
  function look(): Promise<void> {
    waiting++
    last = last.then(lookNow)
    return last
  }

  async function lookNow(): Promise<void> {
    delays.read()
    try {
      const { messages, failure } = await looker.look()
      for (const message of messages) thread.tell(message)
      if (failure === undefined) isBroken = false
      else broken(failure)
    } catch (error) {
      broken(error)
    } finally {
      waiting--
    }
  }

  /** Logs a failure once, until a look succeeds completely again. */
  function broken(error: unknown): void {
    if (isStopped) return
    const failure = new CosignerError("E-WAA-083", { why: errorText(error) })
    if (!isBroken) log.error(describe(failure), { code: failure.code, ...codeField(error) })
    isBroken = true
  }

  await look()
  const timer = setInterval(() => {
    // A slow store must not pile looks up.
    if (waiting === 0) void look()
  }, LOOK_MS)
  const address = thread.address ?? listenText(settings.listen)
  log.info("console open", { address, token_file: settings.tokenFile })
  return {
    address,
    written(writes) {
      lastCommitMs = now()
      looker.written(writes)
    },
    look,
    stop() {
      isStopped = true
      clearInterval(timer)
      delays.stop()
      return thread.stop()
    },
  }
}

async function threadOf(parts: ConsoleParts, token: Bytes, recent: Recent): Promise<PageThread<ToConsole>> {
  const { settings, chains, log, spawn = spawnConsole } = parts
  const address = listenText(settings.listen)
  return startPageThread<ToConsole, ConsoleList>({
    open: { kind: "open", listen: settings.listen, token, chains },
    listens: true,
    feeds: [
      ["requests", recent.requests],
      ["vaults", recent.vaults],
    ],
    changed: (list, change) => ({ kind: "changed", list, change }),
    spawn,
    log,
    againText: "the console is open again",
    died: (reason) => new CosignerError("E-WAA-082", { reason }),
    notOpened: (why, cause) => new CosignerError("E-WAA-080", { address, why }, { cause }),
  })
}

/** The digest of the token in the file. If there is no file, a new token is made and written there first. Throws E-WAA-081. */
function tokenOf(file: string, log: Log): Bytes {
  if (!isTaken(file)) {
    try {
      writeNew(file, `${randomBytes(TOKEN_BYTES).toString("base64url")}\n`)
    } catch (cause) {
      throw new CosignerError("E-WAA-081", { file, problem: errorWord(cause) }, { cause })
    }
    log.info("the console's token was made", { token_file: file })
  }
  const found = tokenIn(file)
  if (typeof found === "string") throw new CosignerError("E-WAA-081", { file, problem: found })
  using token = found
  return digestOf(token.expose())
}
