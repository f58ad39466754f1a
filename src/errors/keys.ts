/** Codes E-KEY-nnn. */
export const keysCodes = {} as const
