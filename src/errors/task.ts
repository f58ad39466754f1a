/** Codes E-TSK-nnn. */
export const taskCodes = {} as const
