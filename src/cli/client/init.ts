/** `cosigner client init`: a profile, and an API key whose secret never leaves this host. */
import { EXIT } from "../../errors/entry.ts"
import { choice, command, refuse, url, value, valueOr } from "../command.ts"
import { profileOption, writeProfile } from "./profile.ts"

export const init = command({
  summary: "Write the profile of a client, and make its API key",
  details: [
    "The secret of the API key is made here and stays here, in a file of mode 600. If the key file exists already, it is used.",
    "The operator of WaaS registers the printed public half. `cosigner waas info` shows the response key.",
    "Take it from the operator and not from the network: only this key tells answers of this WaaS from forged ones.",
  ].join("\n"),
  options: {
    profile: profileOption,
    url: value("--url <url>", "where WaaS answers, without /v2", url("http", "https")),
    responseKey: value("--response-key <hex>", "the key that signs its answers"),
    keyFile: valueOr("--api-key-file <file>", "the API key, beside the profile", "client.key", (text) => text),
    curve: choice("--curve <curve>", "of a new API key (default ed25519)", ["ed25519", "secp256k1"]),
  },
  examples: [["cosigner client init --url https://waas.example:11050 --response-key 5f3e...", "./client.toml"]],
  run: async ({ options, out }) => {
    const { profile: file, url: address, responseKey, keyFile, curve = "ed25519" } = options
    if (address === undefined) refuse("--url", "the address of WaaS", "none")
    if (responseKey === undefined) refuse("--response-key", "64 hex digits", "none")
    const publicKey = writeProfile({ file, url: address, responseKey: responseKey.toLowerCase(), keyFile, curve })
    out.result({ profile: file, api_key_file: keyFile, public_key: publicKey }, [
      `Created ${file}`,
      `API key: ${publicKey}`,
      `Next, where WaaS runs: cosigner waas key create --name <who> --public-key ${publicKey}`,
    ])
    return EXIT.ok
  },
})
