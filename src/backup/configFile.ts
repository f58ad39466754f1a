/** A file of the configuration in a backup: its name in the configuration, and its bytes. Only present if it was asked for. */
import type { Bytes } from "../bytes.ts"
import * as c from "../codec.ts"
import { CosignerError } from "../errors.ts"
import type { BackupRecord } from "./format.ts"

export interface ConfigFile {
  readonly path: string
  readonly bytes: Bytes
}

/** The next kind after the store's kinds (below 128) and a share (128). A release that does not know it refuses the backup (E-STO-027). */
const KIND = 129
const VERSION = 1
/** A longer file is not a configuration. */
export const MOST_BYTES = 1024 * 1024

const codec = c.struct<ConfigFile>({ path: c.text, bytes: c.bytes })

export const isConfigFile = ({ kind }: BackupRecord): boolean => kind === KIND

export const configRecord = (file: ConfigFile): BackupRecord => ({
  kind: KIND,
  version: VERSION,
  body: c.encode(codec, file),
})

/** Throws E-STO-027 for a version that this program does not know. */
export function readConfigFile(path: string, { kind, version, body }: BackupRecord): ConfigFile {
  try {
    if (version === VERSION) return c.decode(codec, body)
  } catch (error) {
    if (!(error instanceof c.Malformed)) throw error
  }
  throw new CosignerError("E-STO-027", { path, kind, version })
}
