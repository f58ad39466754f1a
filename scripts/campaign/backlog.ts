/** Far more requests at one time than nodes take, wave upon wave: each that is taken completes, and the others are told 429 at once. */
import type { Client } from "../../src/waas/client.ts"
import { type Signed, signed } from "./load.ts"
import type { Ward } from "./vaults.ts"

/** At once; a short campaign takes the smaller wave, as the other is minutes of work for two cores. */
const WAVE = { most: 10_000, least: 200 }
/** Whether a request completes is asked, and not how fast this machine is. */
const DEADLINE_SECONDS = 1_800
export const TOO_MANY = "HTTP 429"

/** What became of each request, until a wave ends after so many minutes. */
export async function backlog(client: Client, { vault }: Ward, minutes: number): Promise<readonly Signed[]> {
  const end = performance.now() + minutes * 60_000
  const count = minutes >= 1 ? WAVE.most : WAVE.least
  const all: Signed[] = []
  do {
    const from = all.length
    const asking = { isImpatient: true, seconds: DEADLINE_SECONDS } as const
    const one = (_: unknown, index: number) =>
      signed(client, vault, from + index, { ...asking, scheme: index % 2 === 0 ? "eddsa" : "ecdsa" })
    all.push(...(await Promise.all(Array.from({ length: count }, one))))
  } while (performance.now() < end)
  return all
}
