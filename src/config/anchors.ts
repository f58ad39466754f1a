/**
 * Who may write the files that production trusts: the configuration, the keys, certificates and ABIs that it names, and the database's
 * folder. Anybody who can put a file of their own there decides what is signed, or by whom.
 */
import { realpathSync, type Stats, statSync } from "node:fs"
import { dirname } from "node:path"
import { CosignerError } from "../errors.ts"
import type { Config } from "./config.ts"

/** E-CFG-005 for each of these files that anybody except this user and root may write, replace, or move away. */
export function anchorProblems(config: Config, uid = process.getuid?.() ?? 0): readonly CosignerError[] {
  return anchors(config).flatMap(([key, path]) => {
    const why = writableBy(path, uid)
    return why === undefined ? [] : [new CosignerError("E-CFG-005", { key, why })]
  })
}

type Named = readonly (readonly [key: string, path: string])[]

const anchors = (config: Config): Named => [
  ...(config.source === undefined ? [] : [[config.source, config.source] as const]),
  ["db.path", dirname(config.db.path)],
  ...anchorFiles(config),
]

/** The keys, certificates and ABIs that a configuration names. */
export function anchorFiles({ callback, event, intent, websocket, policyFiles }: Config): Named {
  const named: readonly (readonly [string, string | undefined])[] = [
    ["websocket.ca_path", websocket.ca_path],
    ["websocket.client_cert_path", websocket.client_cert_path],
    ["websocket.client_key_path", websocket.client_key_path],
    ["callback.ca_path", callback.ca_path],
    ["event.ca_path", event.ca_path],
    ...(policyFiles === undefined ? namedByPolicy({ callback, intent }) : []),
  ]
  return named.flatMap(([key, path]) => (path === undefined ? [] : [[key, path] as const]))
}

function namedByPolicy({ callback, intent }: Pick<Config, "callback" | "intent">) {
  return [
    ...intent.contracts.map(({ abi }, i) => [`intent.contracts[${i}].abi`, abi] as const),
    ...callback.cb_server.map(({ pubkey_path }, i) => [`callback.cb_server[${i}].pubkey_path`, pubkey_path] as const),
    ...callback.cb_server_v2.map(
      ({ pubkey_path }, i) => [`callback.cb_server_v2[${i}].pubkey_path`, pubkey_path] as const,
    ),
  ]
}

const GROUP_OR_OTHERS = 0o022
const STICKY = 0o1000

/** Why others may put another file there; undefined if they may not, or if there is no file. Links are resolved first. */
function writableBy(path: string, uid: number): string | undefined {
  let at: string
  try {
    at = realpathSync(path)
  } catch {
    // The code that reads a missing file reports it.
    return undefined
  }
  for (let isFirst = true; ; isFirst = false) {
    const why = openTo(statSync(at), uid, isFirst)
    if (why !== undefined) return `${at} ${why}`
    const above = dirname(at)
    if (above === at) return undefined
    at = above
  }
}

function openTo({ mode, uid: owner }: Stats, uid: number, isAnchor: boolean): string | undefined {
  if (owner !== uid && owner !== 0) return `belongs to uid ${owner}, who may replace it (chown)`
  // in a folder such as /tmp only its owner may move a file away
  if (!isAnchor && (mode & STICKY) !== 0) return undefined
  if ((mode & GROUP_OR_OTHERS) === 0) return undefined
  return `has mode ${(mode & 0o777).toString(8)}: group or others may write it (chmod go-w)`
}
