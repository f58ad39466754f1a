/** Codes E-RSK-nnn. */
export const riskCodes = {} as const
