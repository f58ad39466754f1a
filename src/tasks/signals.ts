/** Waiting for abort signals. A signal that has already fired counts as firing now. */

/** Calls `action` when the signal fires, at once if it has fired; never after the result was disposed. */
export function onFired(signal: AbortSignal, action: () => void): Disposable {
  if (signal.aborted) action()
  else signal.addEventListener("abort", action, { once: true })
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", action) }
}

/** Resolves when the signal has fired. */
export function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })
}
