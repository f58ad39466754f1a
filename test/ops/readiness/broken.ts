/** How the worker of brokenWorker.ts breaks; it is told as the boot counter, the one number that a pool hands on unread. */
export const HANGS = 1
export const DIES = 2
