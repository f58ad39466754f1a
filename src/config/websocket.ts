/** [websocket]: the connection to WaaS, and the key that signs every task. */
import { Type } from "@sinclair/typebox"
import { hex32, listOf, path, type Refused, refined, tableOf, url } from "../settings/schema.ts"

/** The relay answers only at /ws; a prefix belongs to a reverse proxy. */
function* relayPath(address: string): Generator<Refused> {
  if (new URL(address).pathname.endsWith("/ws")) return
  yield {
    at: [],
    expected: "a URL whose path ends in /ws, where the relay of WaaS listens",
    got: JSON.stringify(address),
  }
}

const relayUrl = (example: string, description: string) =>
  refined(url({ schemes: ["wss", "ws"], credentials: false }, example, description), relayPath)

export const websocket = tableOf("The outgoing connections of the node, to WaaS and its replicas.", {
  url: Type.Optional(
    relayUrl(
      "wss://waas.example.com/ws",
      "Address of WaaS; the path ends in /ws. Production accepts only wss://. Flag: --ws-url.",
    ),
  ),
  urls: listOf(relayUrl("wss://waas-2.example.com/ws", "An address."), {
    maxItems: 15,
    uniqueItems: true,
    expected: "a list of at most 15 URLs whose paths end in /ws",
    example: ["wss://waas-2.example.com/ws", "wss://waas-3.example.com/ws"],
    description:
      "Further replicas of the same WaaS, each at its own address. The node keeps a link to every replica at the same time.",
  }),
  waas_public_key: Type.Optional(
    hex32(
      "The Ed25519 public key of WaaS, 64 hex digits. The node refuses tasks that another key signed. Flag: --waas-public-key.",
    ),
  ),
  ca_path: Type.Optional(path("configs/ca.pem", "PEM of the authorities to trust instead of the system's.")),
  client_cert_path: Type.Optional(path("configs/client.pem", "PEM of a client certificate, if WaaS asks for one.")),
  client_key_path: Type.Optional(path("configs/client.key", "PEM of its private key, mode 600.")),
  proxy: Type.Optional(
    url(
      { schemes: ["http", "https"], credentials: true },
      "http://proxy.example.com:3128",
      "HTTP proxy (CONNECT) to go through.",
    ),
  ),
})
