/** The time that a test may take that sets none of its own. Generous: the suite also runs on small and busy machines. */
export const TIMEOUT_MS = 60_000
