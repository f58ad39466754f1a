/** `cosigner callback-server init`: keys and an annotated configuration for the reference callback server. */

import { EXIT } from "../errors/entry.ts"
import { initReferenceServer } from "../kit/callbackServer/init.ts"
import { command, valueOr } from "./command.ts"

export const callbackServerInit = command({
  summary: "Make the keys and the configuration of a callback server",
  options: {
    dir: valueOr("--dir <dir>", "where to write", "configs", (text) => text),
    nodeKey: valueOr(
      "--node-key <file>",
      "the node's callback public key, as the configuration will name it",
      "node-callback-pub.key",
      (text) => text,
    ),
  },
  examples: [["cosigner callback-server init --dir risk", "write risk/callback-server.toml and its keys"]],
  run: async ({ options, out }) => {
    const files = initReferenceServer(options.dir, options.nodeKey)
    out.result(files, [
      `Wrote ${files.config}: say there what is allowed`,
      `Wrote ${files.privateKey}: the server signs with it; keep it private`,
      `Wrote ${files.publicKey}: name it as pubkey_path in the node's [[callback.cb_server_v2]]`,
    ])
    return EXIT.ok
  },
})
