/** The configuration in a backup: its file, and the keys, certificates and ABIs that it names; and how they are restored. */
import { readFileSync, statSync } from "node:fs"
import { dirname } from "node:path"
import { type ConfigFile, MOST_BYTES } from "../backup/configFile.ts"
import { writing } from "../backup/faults.ts"
import { copy, equal } from "../bytes.ts"
import { anchorFiles } from "../config/anchors.ts"
import type { Config } from "../config/config.ts"
import { CosignerError } from "../errors.ts"
import { errnoOf, isTaken, makeFolder, NewFile, nameNew } from "../files.ts"

/** Reads the files to back up. Leaves out passwords and tokens, because they would open the backed-up database. Throws E-BAK-025. */
export function readConfigFiles(config: Config): readonly ConfigFile[] {
  const { source } = config
  if (source === undefined) throw new CosignerError("E-BAK-025", { path: "the configuration", why: "there is no file" })
  const paths = new Set([source, ...anchorFiles(config).map(([, path]) => path)])
  return [...paths].map((path) => {
    const refuse = (why: string, cause?: unknown) => new CosignerError("E-BAK-025", { path, why }, { cause })
    try {
      const stat = statSync(path)
      if (!stat.isFile() || stat.size > MOST_BYTES) throw refuse(`it is no file of at most ${MOST_BYTES} bytes`)
      return { path, bytes: copy(readFileSync(path)) }
    } catch (error) {
      const errno = errnoOf(error)
      throw errno === undefined ? error : refuse(errno, error)
    }
  })
}

interface ReturnedFile {
  readonly path: string
  /** The path that was written, or that holds the same bytes already. */
  readonly written_to: string
}

/**
 * Puts each file where it was, or beside a file of other contents, as `NAME.restored`: nothing is overwritten. An existing file
 * with the same contents counts as written. Throws E-BAK-001 if both names are taken, and E-BAK-008 to -010.
 */
export function returnConfigFiles(files: readonly ConfigFile[]): readonly ReturnedFile[] {
  return files.map(({ path, bytes }) => {
    const at = [path, `${path}.restored`].find((name) => !isTaken(name) || holds(name, bytes))
    if (at === undefined) throw new CosignerError("E-BAK-001", { path: `${path}.restored` })
    if (!isTaken(at)) {
      writing(at, () => {
        makeFolder(dirname(at))
        using file = new NewFile(at)
        file.write(bytes)
        file.finish(nameNew)
      })
    }
    return { path, written_to: at }
  })
}

function holds(path: string, bytes: Uint8Array): boolean {
  try {
    return equal(readFileSync(path), bytes)
  } catch (error) {
    if (errnoOf(error) === undefined) throw error
    return false
  }
}
