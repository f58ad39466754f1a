/** A mailbox for one item: a new item replaces an unread one, because only the latest command counts. */
export interface CommandMailbox<T> {
  put(item: T): void
  /** Waits for the next item. Returns undefined once the signal has fired, unless an item is there. */
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
