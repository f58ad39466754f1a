/**
 * The same package under the names that the published install scripts look for (formats.md 4.6): a binary called cobo-tss-node,
 * a YAML template, and one archive for each of the three ways in which they spell a name.
 */
import { file, sumsOf } from "./contents.ts"
import type { TarFile } from "./tar.ts"

const BINARY = "cobo-tss-node"

/** `linux-x64` is `linux-amd64` to them. */
const machineOf = (machine: string): string => machine.replace(/-x64$/, "-amd64")

export const publishedNames = (machine: string, version: string): readonly string[] => [
  `${BINARY}-${machineOf(machine)}-${version}.tar.gz`,
  `${BINARY}-${version}-${machineOf(machine)}.tar.gz`,
  `${BINARY}-${machineOf(machine)}.tar.gz`,
]

/** From the files of our own package, SHA256SUMS left out: it is made again. */
export function publishedFiles(machine: string, own: readonly TarFile[]): readonly TarFile[] {
  const files = [
    ...own.map((one) => (one.path === "cosigner" ? { ...one, path: BINARY } : one)),
    file("configs/cobo-tss-node-config.yaml.template", YAML),
  ]
  return [...files, file("SHA256SUMS", sumsOf(files))].map((one) => ({
    ...one,
    path: `${BINARY}-${machineOf(machine)}/${one.path}`,
  }))
}

const YAML = `# Configuration of a node in the published format: read as it is from configs/cobo-tss-node-config.yaml.
# Everything that can be set, rules over what is signed among it: configs/cosigner.toml.template;
# \`cosigner config import configs/cobo-tss-node-config.yaml --out configs/cosigner.toml\` moves over.

# development, sandbox or production; production is strict
env: development

db:
  path: db/secrets.db

websocket:
  # where WaaS is, and its public key, as \`waas info\` prints it
  url: wss://waas.example.com/ws
  # waas_public_key: ...

# A node signs nothing before one of the two controls is on: the embedded rules, or a callback server.
embedded_risk_control_rules:
  enable: false

callback:
  cb_server_v2: []
  #  - service_address: http://127.0.0.1:11020/v2/check
  #    pubkey_path: configs/callback-server-pub.key

log:
  std:
    enable: true
    level: info
  file:
    enable: true
    level: info
    filename: logs/tss-node.log
`
