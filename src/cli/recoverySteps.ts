/** `cosigner recovery`: the steps to leave. A customer can always leave, with this program or without it. */
import { EXIT } from "../errors/entry.ts"
import { command } from "./command.ts"

/** The steps in order, with the command of each, if there is one. */
const STEPS: readonly { readonly what: string; readonly run?: string }[] = [
  {
    what: "On each of threshold nodes, or of all: write its shares to a file under a password of their own. Beside a running node or without one.",
    run: "cosigner export-share --export-dir recovery",
  },
  {
    what: "Check the files before you need them: that they open, belong together, and are enough. No private key is put together.",
    run: "cosigner recovery verify recovery/*",
  },
  {
    what: "Keep files and passwords apart, and each node's apart from the others': threshold of both are the key.",
  },
  {
    what: "To move the key to other nodes of this software: stop, import on threshold of them, give the records to WaaS, ask for a KeyReshare. The key is never put together.",
    run: "cosigner import-share FILE --dealers PARTICIPANT=NODE,...",
  },
  {
    what: "To leave: on a computer without network, put the root private key together from threshold files. From here on whoever sees it owns every address.",
    run: "cosigner recovery reconstruct FILES --output root.key",
  },
  {
    what: "Or derive the private keys of the addresses that hold something, from the vendor's address list or paths.",
    run: "cosigner recovery derive FILES --private-keys --paths m/44/60/0/0/0",
  },
  {
    what: "Load these keys into a wallet of each chain, and move what they hold to addresses of new keys. secp256k1 keys fit any wallet; those of Ed25519 are scalars, not seeds, and need a tool that signs with scalars.",
  },
  {
    what: "The public recovery tool of the format opens the same files, should this program be gone: docs/spec/formats.md, section 5.",
  },
]

export const recovery = command({
  summary: "The way out, step by step; its commands work offline",
  details: "Prints what to do and which command does it. Nothing is read or written.",
  run: async ({ out }) => {
    const numbered = STEPS.map(({ what, run }, i) => ({ step: i + 1, what, ...(run && { run }) }))
    out.result(
      numbered,
      numbered.flatMap(({ step, what, run }) => [`${step}. ${what}`, ...(run === undefined ? [] : [`     ${run}`])]),
    )
    return EXIT.ok
  },
})
