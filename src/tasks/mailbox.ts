/** A mailbox of one: the latest command replaces an unread earlier one, because only the latest attempt counts. */
export interface CommandMailbox<T> {
  put(item: T): void
  /** The next item, or undefined once the signal has fired; an item that is already there comes first. */
  next(stop: AbortSignal): Promise<T | undefined>
}

export function mailbox<T>(): CommandMailbox<T> {
  let item: { readonly value: T } | undefined
  let wake: () => void = () => undefined
  return {
    put(value) {
      item = { value }
      wake()
    },
    async next(stop) {
      if (item === undefined && !stop.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        stop.addEventListener("abort", () => resolve(), { once: true })
        await promise
      }
      const taken = item
      item = undefined
      return taken?.value
    },
  }
}
