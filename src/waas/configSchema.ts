/**
 * The tables of waas.toml as a schema, the checks that concern several keys, and the file that `waas init` writes. config.ts turns the
 * values into WaasConfig; storeConfig.ts owns [waas.store].
 */
import { isAbsolute } from "node:path"
import { Type } from "@sinclair/typebox"
import { isChainId } from "../intent/caip.ts"
import { CHAIN_NAMES } from "../intent/chainNames.ts"
import { parseAddress as parseEvmAddress } from "../intent/evm/address.ts"
import { isLoopback } from "../outbound.ts"
import { type Listen, listenIn } from "../panel/listen.ts"
import {
  boolean,
  duration,
  entryOf,
  integer,
  listOf,
  oneOf,
  parsed,
  pathOr,
  pathOrNone,
  type Refused,
  refined,
  requiredInteger,
  tableOf,
  text,
  url,
  word,
} from "../settings/schema.ts"
import { templateOf } from "../settings/template.ts"
import { storeTable } from "./storeConfig.ts"
import { chainsOf, familyOf } from "./wallets/chains.ts"

interface Address {
  readonly hostname: string
  readonly port: number
}

const ADDRESS = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]\s]+)):(\d{1,5})$/

function parseAddress(text: string): Address | undefined {
  const [, v6, name, digits] = ADDRESS.exec(text) ?? []
  const hostname = v6 ?? name
  const port = Number(digits)
  return hostname === undefined || port > 65_535 ? undefined : { hostname, port }
}

function consoleListen(text: string): Listen | undefined {
  const found = listenIn(text)
  return typeof found === "string" ? undefined : found
}

const waas = tableOf("The coordinator.", {
  listen: parsed(parseAddress, {
    fallback: "127.0.0.1:11050",
    example: "127.0.0.1:11050",
    expected: "host:port, as in 127.0.0.1:11050",
    description: "Where the REST API and the nodes' relay (path /ws) listen; port 0 takes a free one. Flag: --listen.",
  }),
  tls_cert: pathOrNone(
    "PEM of the certificate chain; relative paths are relative to this folder. Without TLS WaaS listens on a loopback address only.",
  ),
  tls_key: pathOrNone("PEM of its private key, mode 600."),
  allow_plaintext: boolean(false, "Listens elsewhere without TLS: something in front of it does TLS."),
  organisation: parsed((text) => (text.length >= 1 && text.length <= 64 ? text : undefined), {
    fallback: "My organisation",
    example: "My organisation",
    expected: "a text of 1 to 64 characters",
    description: "Shown to callers and to the nodes' risk control.",
  }),
  curves: listOf(oneOf(["SECP256K1", "ED25519"], undefined, "A curve."), {
    fallback: ["SECP256K1", "ED25519"],
    minItems: 1,
    maxItems: 2,
    uniqueItems: true,
    expected: 'a list of one or both of "SECP256K1", "ED25519"',
    description: "The curves of a new vault's keys: one key generation for each.",
  }),
  deadlines: tableOf("From a request to its end, at most.", {
    key_gen_seconds: integer(1, 2_592_000, 86_400, "The deadline of a key generation or a reshare."),
    sign_seconds: integer(1, 604_800, 600, "The deadline of a signature; a request may ask for another."),
  }),
  attempts: tableOf("How a task is begun again that ended without a result.", {
    most: integer(1, 1000, 1000, "The most attempts of one task; its deadline ends them sooner."),
    seconds: integer(1, 3600, 120, "After how long an attempt counts as hung."),
    retry_milliseconds: integer(0, 60_000, 500, "The pause between two attempts."),
  }),
  store: storeTable,
  key_command: listOf(text("/usr/local/bin/waas-sign", "A word of the command."), {
    maxItems: 32,
    expected: "a list of texts, the first an absolute path",
    example: ["/usr/local/bin/waas-sign"],
    description:
      "A program that signs in the place of waas.key, for a key in a KMS or HSM; waas.key then signs REST answers alone. See docs/how-to/replicas.md.",
  }),
  retention: tableOf("How long what has ended is kept.", {
    sign_request_days: integer(
      0,
      36_500,
      0,
      "Days after which a signing request that ended is forgotten, with its tasks; its request_id counts as new from then on. 0 keeps everything.",
    ),
  }),
  backup: tableOf(
    "Sealed, proven backups of this folder's database and configuration on a schedule. On when an interval is set.",
    {
      interval: duration("", "How often."),
      directory: pathOr("backups", "Where they are written, mode 700; relative paths are relative to this folder."),
      keep: integer(1, 10_000, 14, "How many are kept."),
      password_file: pathOrNone("File with the password of the backups, mode 600."),
    },
  ),
  limits: tableOf("What callers may cost.", {
    body_bytes: integer(1024, 16_777_216, 2_097_152, "Bytes of one request's body; payloads are part of it."),
    requests_per_second: integer(1, 10_000, 50, "Requests per second of one API key."),
    burst: integer(1, 100_000, 100, "Requests of one API key at once."),
    nonce_hours: integer(
      1,
      720,
      24,
      "Not used any more: a nonce is a time, and a request is refused again for as long as it is recent.",
    ),
    nonces: integer(1000, 10_000_000, 200_000, "Not used any more; older files may have it."),
    open_tasks: integer(
      1,
      100_000,
      20_000,
      "Tasks in work at one time; they wait in order, and further ones get HTTP 429.",
    ),
  }),
  chains: listOf(
    entryOf("A chain that wallets may use.", {
      id: word("ETH", "Its name in the REST API; the published names bring the rest along."),
      caip2: Type.Optional(
        parsed((text) => (isChainId(text) && familyOf(text) !== undefined ? text : undefined), {
          example: "eip155:1",
          expected: "a CAIP-2 id of an EVM chain, of Bitcoin, Solana or TRON, as in eip155:1",
          description: "Which chain it is; for a name that is not published.",
        }),
      ),
      coin_type: Type.Optional(
        requiredInteger(0, 0x7fff_ffff, 60, "SLIP-44 coin type of its paths; test networks have 1."),
      ),
      symbol: Type.Optional(word("ETH", "Of its native asset.")),
      rpc_url: Type.Optional({
        ...url(
          { schemes: ["https", "http"], credentials: false },
          "https://rpc.example.com",
          "JSON-RPC endpoint of an EVM chain: for nonces, fees and broadcasting. Many hold a key in their path, so no error shows it.",
        ),
        visible: "never",
      }),
    }),
    {
      maxItems: 200,
      expected: "a list of tables with an id each",
      description: "The chains that wallets may use. Empty: ETH, BTC, SOL and TRON, without endpoints.",
    },
  ),
  refresh: tableOf("Refreshes that nodes ask for, before crashes in the middle of checks would end ECDSA in a group.", {
    automatic: boolean(
      true,
      "Whether WaaS makes the request by itself; the rules and callback servers of each node decide about it as about any other.",
    ),
    pause_hours: integer(1, 8760, 24, "Between two such requests of one group, whatever came of the first."),
  }),
  tokens: listOf(
    entryOf("A token that transfers may name.", {
      id: word("ETH_USDC", "Its name in the REST API."),
      chain: word("ETH", "The id of an enabled EVM chain."),
      contract: parsed((text) => (parseEvmAddress(text) === undefined ? undefined : text), {
        example: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
        expected: "an address with 0x, in lower case or with its checksum",
        description: "Of the ERC-20 contract.",
      }),
      decimals: requiredInteger(0, 77, 6, "Digits behind the decimal point of its amounts."),
      symbol: Type.Optional(word("USDC", "Shown to people.")),
    }),
    {
      maxItems: 1000,
      expected: "a list of tables with id, chain, contract and decimals",
      description: "ERC-20 tokens beside the native assets of the chains, which are named as their chain.",
    },
  ),
  console: tableOf("A page for people, on a listener of its own on this machine. Read-only; off unless enabled.", {
    enable: boolean(false, "Whether the page is served."),
    listen: parsed((text) => consoleListen(text), {
      fallback: "127.0.0.1:11051",
      example: "127.0.0.1:11051",
      expected: "an address of this machine alone, as in 127.0.0.1:11051, [::1]:11051 or unix:PATH",
      description: "Where the page is served; port 0 takes a free one. From elsewhere it is reached through `ssh -L`.",
    }),
    token_path: pathOr(
      "console.token",
      "File with the token that opens it, one line of 16 to 512 visible characters, mode 600; made at the start where it is missing.",
    ),
  }),
  webhooks: tableOf("Servers that WaaS tells what happens, registered over the REST API.", {
    hosts: listOf(word("hooks.example.com", "A host."), {
      maxItems: 100,
      uniqueItems: true,
      expected: 'a list of host names, each with a port if it is not the usual one, as in "hooks.example.com:8443"',
      example: ["hooks.example.com"],
      description:
        "The hosts that webhooks may be sent to, by https (a loopback address: http too). Empty: none, webhooks are off.",
    }),
    timeout_seconds: integer(1, 60, 2, "How long an endpoint may take to answer."),
    keep_days: integer(1, 3650, 30, "How long events that ended, and their deliveries, can be listed."),
  }),
})

export const waasSchema = tableOf("The configuration of WaaS.", {
  waas: refined(
    waas,
    function* ({
      tls_cert,
      tls_key,
      listen,
      allow_plaintext,
      chains,
      tokens,
      backup,
      store,
      key_command,
    }): Generator<Refused> {
      for (const [nth, { id, caip2 }] of chains.entries()) {
        if (caip2 === undefined && !CHAIN_NAMES.has(id)) {
          yield {
            at: ["chains", nth, "id"],
            expected: "a published name, or one with caip2 beside it",
            got: JSON.stringify(id),
          }
        }
        if (chains.findIndex((other) => other.id === id) !== nth) {
          yield { at: ["chains", nth, "id"], expected: "each name once", got: JSON.stringify(id) }
        }
      }
      const enabled = chainsOf(chains).enabled
      for (const [nth, { id, chain }] of tokens.entries()) {
        if (!enabled.some(({ chainId, family }) => chainId === chain && family === "evm")) {
          yield { at: ["tokens", nth, "chain"], expected: "the id of an enabled EVM chain", got: JSON.stringify(chain) }
        }
        if (enabled.some(({ chainId }) => chainId === id) || tokens.findIndex((other) => other.id === id) !== nth) {
          yield { at: ["tokens", nth, "id"], expected: "each name once, and none of a chain", got: JSON.stringify(id) }
        }
      }
      if (backup.interval !== "" && backup.password_file === "") {
        yield {
          at: ["backup", "password_file"],
          expected: "a file: a schedule has nobody to ask for the password",
          got: "none",
        }
      }
      if (backup.interval !== "" && store.url !== "") {
        yield { at: ["backup", "interval"], expected: "no schedule beside [waas.store] url", got: "both" }
      }
      if (key_command[0] !== undefined && !isAbsolute(key_command[0])) {
        yield { at: ["key_command", 0], expected: "an absolute path", got: JSON.stringify(key_command[0]) }
      }
      if ((store.cert_path === "") !== (store.key_path === "")) {
        yield { at: ["store", "cert_path"], expected: "cert_path and key_path together", got: "one of them" }
      }
      if ((tls_cert === "") !== (tls_key === "")) {
        yield { at: ["tls_cert"], expected: "tls_cert and tls_key together", got: "one of them" }
      }
      const { hostname } = parseAddress(listen) ?? { hostname: "" }
      if (tls_cert === "" && !isLoopback(hostname) && !allow_plaintext) {
        yield {
          at: ["listen"],
          expected: "a loopback address, or tls_cert and tls_key, or allow_plaintext = true",
          got: JSON.stringify(hostname),
        }
      }
    },
  ),
})

/** The waas.toml that `waas init` writes. */
export const waasTemplate = (): string =>
  templateOf(waasSchema, {
    head: [
      "WaaS, the coordinator: cosigner waas start --dir <this folder>",
      "Every key is shown; a commented one shows its default.",
    ],
  })
