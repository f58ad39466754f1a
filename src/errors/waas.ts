/** Codes E-WAA-nnn. */
export const waasCodes = {} as const
