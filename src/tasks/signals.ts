/** Abort signals as tasks wait for them: one that has fired already counts as one that fires now. */

/** Calls once the signal has fired; never after it was disposed. */
export function onFired(signal: AbortSignal, action: () => void): Disposable {
  if (signal.aborted) action()
  else signal.addEventListener("abort", action, { once: true })
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", action) }
}

export function fired(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener("abort", () => resolve(), { once: true })
  })
}
