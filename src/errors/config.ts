/** Codes E-CFG-nnn. */
export const configCodes = {} as const
