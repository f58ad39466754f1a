/** How long signed orders may be, and how many of them: for whoever only carries them, which loads nothing that verifies them. */

/** Statement and armored signature. */
export const MAX_SIGNED_ORDER = 8192

/** So many signed orders of such a length fit into one request to a running node. */
export const MAX_OPERATION_ORDERS = 12
export const MAX_OPERATION_ORDER = 4096
