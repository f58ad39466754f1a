/** How long signed orders may be, and how many of them. Code that only carries orders imports this and loads no verifier. */

/** Statement and armored signature. */
export const MAX_SIGNED_ORDER = 8192

/** The most signed orders of that length in one request to a running node. */
export const MAX_OPERATION_ORDERS = 12
export const MAX_OPERATION_ORDER = 4096
