/** `cosigner callback-server`: the reference callback server, until a signal ends it. */
import { createPrivateKey, type KeyObject } from "node:crypto"
import { readNodeKey } from "../callback/servers.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError } from "../errors.ts"
import { readPrivate, UnusableFile } from "../files.ts"
import { readReferenceConfig } from "../kit/callbackServer/config.ts"
import { CONFIG_FILE } from "../kit/callbackServer/init.ts"
import { startReferenceServer } from "../kit/callbackServer/server.ts"
import { tokenSigner } from "../wire/tssJwt.ts"
import { command } from "./command.ts"
import { serverOutput } from "./serverOutput.ts"

export const callbackServer = command({
  summary: "Run a small callback server for demos and as a start for your own",
  details:
    "It approves key generation and resharing as its file says, and signatures of EVM transactions whose hash, chain, " +
    "destination, amount and fee it has checked. Everything else it rejects.",
  examples: [
    ["cosigner callback-server init", "write keys and an annotated configuration"],
    ["cosigner callback-server -c configs/callback-server.toml", "run it"],
  ],
  run: async ({ globals }) => {
    const out = serverOutput(globals.json)
    const config = readReferenceConfig(globals.config ?? CONFIG_FILE)
    const server = startReferenceServer(
      {
        rules: config.rules,
        nodeKeys: config.nodeKeyFiles.map(readNodeKey),
        sign: tokenSigner(readPrivateKey(config.privateKeyFile), "key of the callback server"),
        tokenExpireMinutes: config.tokenExpireMinutes,
        now: Date.now,
        log: (line) => void out.tell({ event: "answered", line }, line),
      },
      { hostname: config.host, port: config.port },
    )
    const listening = `http://${server.hostname}:${server.port}`
    out.tell({ event: "listening", url: `${listening}/v2/check` }, `Listening on ${listening}/v2/check`)
    await untilSignal()
    await server.stop()
    out.end()
    return EXIT.ok
  },
})

/** Throws E-RSK-134. */
function readPrivateKey(file: string): KeyObject {
  const refuse = (problem: string, cause: unknown) => new CosignerError("E-RSK-134", { file, problem }, { cause })
  try {
    using pem = readPrivate(file, MAX_PEM)
    return createPrivateKey(Buffer.from(pem.expose()))
  } catch (error) {
    throw refuse(error instanceof UnusableFile ? error.message : "it cannot be read as a private key in PEM", error)
  }
}

const MAX_PEM = 64 * 1024

const untilSignal = (): Promise<void> =>
  new Promise((resolve) => {
    process.once("SIGINT", () => resolve())
    process.once("SIGTERM", () => resolve())
  })
