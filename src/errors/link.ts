/** Codes E-LNK-nnn. */
export const linkCodes = {} as const
