/** `?wait=30` on a request: the answer comes when the request has ended, or after so many seconds, with what it is then. */
import { type Static, Type } from "@sinclair/typebox"
import { isOpen } from "../engine/requests.ts"
import type { ShareSignRequest, SignRequest, TssRequest } from "../store/model.ts"
import type { ApiContext } from "./context.ts"
import { closed } from "./route.ts"

/** Below what the server lets a silent connection live. */
export const WaitQuery = closed({
  wait: Type.Optional(
    Type.String({
      pattern: "^(?:[0-9]|[1-4][0-9]|50)$",
      description: "seconds, 0 to 50: the answer waits so long for the request to end",
    }),
  ),
})

/** The request once it has ended or the time is over; `find` reads it. Ended in between, it is not waited for. */
export async function waited<R extends TssRequest | SignRequest | ShareSignRequest>(
  { engine }: ApiContext,
  { wait = "0" }: Static<typeof WaitQuery>,
  idOf: (request: R) => string,
  find: () => Promise<R>,
): Promise<R> {
  const request = await find()
  if (wait === "0" || !isOpen(request.status)) return request
  const stop = new AbortController()
  const ended = engine.whenEnded(
    idOf(request),
    AbortSignal.any([stop.signal, AbortSignal.timeout(Number(wait) * 1000)]),
  )
  // It may have ended between the first look and this one.
  if (!isOpen((await find()).status)) stop.abort()
  await ended
  return find()
}
