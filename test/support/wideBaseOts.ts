/**
 * Preloaded (`bun test --preload`), it loads the protocol code with N_C = 256 in place of 128, as somebody would who edits the
 * constant (threshold.md 4.3). Nothing in src/ knows of it.
 */
import { plugin } from "bun"

const CONSTANT = /^export const N_C = 128$/m

plugin({
  name: "256 base OTs",
  setup(build) {
    build.onLoad({ filter: /\/src\/crypto\/parameters\.ts$/ }, async ({ path }) => {
      const text = await Bun.file(path).text()
      if (!CONSTANT.test(text)) throw new Error("N_C is not where this looks for it")
      return { contents: text.replace(CONSTANT, "export const N_C = 256"), loader: "ts" }
    })
  },
})
