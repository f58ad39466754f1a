/** `?wait=30` on a request: the answer comes when the request has ended, or after so many seconds with the state at that time. */
import { type Static, Type } from "@sinclair/typebox"
import { isOpen } from "../engine/requests.ts"
import type { ShareSignRequest, SignRequest, TssRequest } from "../store/model.ts"
import type { ApiContext } from "./context.ts"
import { closed } from "./route.ts"

/** How often a request of another replica is read again, because the news of its end may be lost. */
const LOOK_MS = 2_000

/** The longest wait is shorter than the server's limit for idle connections. */
export const WaitQuery = closed({
  wait: Type.Optional(
    Type.String({
      pattern: "^(?:[0-9]|[1-4][0-9]|50)$",
      description: "seconds, 0 to 50: the answer waits so long for the request to end",
    }),
  ),
})

/** The request once it has ended or the time is over. `find` reads the request. */
export async function waited<R extends TssRequest | SignRequest | ShareSignRequest>(
  { engine }: ApiContext,
  { wait = "0" }: Static<typeof WaitQuery>,
  idOf: (request: R) => string,
  find: () => Promise<R>,
): Promise<R> {
  let request = await find()
  if (wait === "0") return request
  const over = AbortSignal.timeout(Number(wait) * 1000)
  while (isOpen(request.status) && !over.aborted) {
    const stop = new AbortController()
    const signals = [stop.signal, over, ...(engine.worksOn(request) ? [] : [AbortSignal.timeout(LOOK_MS)])]
    const ended = engine.whenEnded(idOf(request), AbortSignal.any(signals))
    // The request may have ended before whenEnded began to listen, so it is read once more.
    request = await find()
    if (!isOpen(request.status)) stop.abort()
    if (!(await ended)) return request
    request = await find()
  }
  return request
}
