/** Reads [status], for the node and for `cosigner status` alike: the address of the status port, and its token. */
import { CosignerError } from "../errors.ts"
import { type Listen, listenIn, tokenIn } from "../panel/listen.ts"
import type { Secret } from "../secret.ts"

/** Throws E-STA-002. */
export function parseListen(listen: string): Listen {
  const found = listenIn(listen)
  if (typeof found === "string") throw new CosignerError("E-STA-002", { listen, problem: found })
  return found
}

/** The one line of the file; the caller disposes it. Throws E-STA-003. */
export function readToken(path: string): Secret {
  const found = tokenIn(path)
  if (typeof found === "string") throw new CosignerError("E-STA-003", { path, problem: found })
  return found
}
