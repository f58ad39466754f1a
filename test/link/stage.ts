/** What tests of links set up: each test's WaaS, nodes and wires end after it, the last one first. */
import { afterEach } from "bun:test"
import type { FromNode } from "../../src/wire/frames.ts"
import {
  type Node,
  type NodeOptions,
  startNode,
  startWaas,
  startWire,
  type Waas,
  type WaasOptions,
  type Wire,
} from "./world.ts"

interface Stage {
  /** Whatever else has to end with the test. */
  onEnd(step: () => unknown): void
  aWaas(options?: WaasOptions): Waas
  aNode(waas: Pick<Waas, "identity" | "port">, options?: NodeOptions): Node
  aWire(waas: Pick<Waas, "port">): Promise<Wire>
}

/** For all tests of the file that calls it. */
export function stage(): Stage {
  const steps: (() => unknown)[] = []
  afterEach(async () => {
    for (const step of steps.splice(0).reverse()) await step()
  })
  const onEnd = (step: () => unknown): void => void steps.push(step)
  return {
    onEnd,
    aWaas(options) {
      const waas = startWaas(options)
      onEnd(() => waas.stop())
      return waas
    },
    aNode(waas, options) {
      const node = startNode(waas, options)
      onEnd(() => node.link.stop())
      return node
    },
    async aWire({ port }) {
      const wire = await startWire(port)
      onEnd(() => wire.close())
      return wire
    },
  }
}

/** What this WaaS has heard of its nodes. */
export const heard = (waas: Waas): readonly FromNode[] =>
  waas.journal.entries.flatMap((one) => (one.kind === "frame" ? [one.frame] : []))
