/** `cosigner version`. Line 1 contains only the version: scripts read it with `head -1`. */
import { build } from "../build.ts"
import { EXIT } from "../errors/entry.ts"
import { command } from "./command.ts"

export const version = command({
  summary: "Print the version",
  details: "Line 1 is the version; the lines below say how this binary was built.",
  run: async ({ out }) => {
    out.result(build, [
      build.version,
      `Build mode: ${build.mode}`,
      `Git commit: ${build.commit}`,
      `Build time: ${build.time}`,
      `Runtime: bun ${Bun.version}`,
    ])
    return EXIT.ok
  },
})
