/** How this program is started once more: the binary, or bun and the entry when run from source. */
import { build } from "../build.ts"

export const program: readonly string[] =
  build.mode === "compiled" ? [process.execPath] : [process.execPath, new URL("../main.ts", import.meta.url).pathname]
