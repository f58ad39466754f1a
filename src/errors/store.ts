/** Codes E-STO-nnn. */
export const storeCodes = {} as const
