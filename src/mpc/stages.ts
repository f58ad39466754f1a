/**
 * The rounds of all protocols by name. The names say what a round is for, in a protocol's text, in traces and in the reasons of endings.
 * The numbers are those on the wire (threshold.md 12).
 */
import { PROTOCOL, type ProtocolCode } from "./envelope.ts"

export interface Stage {
  readonly round: number
  readonly name: string
}

/** `round 2 (multiply)`. */
export const inWords = ({ round, name }: Stage): string => `round ${round} (${name})`

/** Key generation and resharing: threshold.md 3, 6.2. No number means different things in different suites. */
export const SET_UP = {
  commit: { round: 1, name: "commit" },
  deal: { round: 2, name: "deal" },
  transfer: { round: 3, name: "transfer" },
  acknowledge: { round: 4, name: "acknowledge" },
  confirm: { round: 5, name: "confirm" },
  acknowledgeConfirmed: { round: 6, name: "acknowledge confirmed" },
  tryCommit: { round: 7, name: "try: commit" },
  tryMultiply: { round: 8, name: "try: multiply" },
  tryRelease: { round: 9, name: "try: release" },
  acknowledgeTried: { round: 10, name: "acknowledge tried" },
} as const

/** ECDSA: threshold.md 5.8. */
export const DKLS = {
  commit: { round: 1, name: "commit" },
  multiply: { round: 2, name: "multiply" },
  release: { round: 3, name: "release" },
} as const

/** EdDSA and BIP-340: threshold.md 7.3. */
export const FROST = {
  commit: { round: 1, name: "commit" },
  release: { round: 2, name: "release" },
} as const

const OF_PROTOCOL: Readonly<Partial<Record<ProtocolCode, Readonly<Record<string, Stage>>>>> = {
  [PROTOCOL.dkg]: SET_UP,
  [PROTOCOL.ecdsa]: DKLS,
  [PROTOCOL.reshare]: SET_UP,
  [PROTOCOL.frost]: FROST,
}

/** The name of a round by the numbers of an envelope; undefined if no protocol has it. */
export function stageName(protocol: number, round: number): string | undefined {
  const found = Object.entries(OF_PROTOCOL).find(([code]) => Number(code) === protocol)
  return Object.values(found?.[1] ?? {}).find((stage) => stage.round === round)?.name
}
