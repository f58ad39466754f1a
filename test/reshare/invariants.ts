/**
 * What can be seen of the nodes of a simulation from outside: which shares are there, how far each epoch has come, who blames
 * whom. It remembers, so that it can tell what went that should not have gone.
 */
import { expect } from "bun:test"
import { type Bytes, toHex } from "../../src/bytes.ts"
import { curveNamed } from "../../src/crypto/curve.ts"
import { lagrange } from "../../src/crypto/shamir.ts"
import {
  checkShare,
  type GroupPublic,
  type GroupStatus,
  memberOf,
  outranks,
  rootExtendedPublicKey,
  wipeGroupSecret,
} from "../../src/keys/group.ts"
import type { Node, Simulation } from "./simulation.ts"

const ORDER: readonly GroupStatus[] = ["PREPARED", "ACTIVE", "SUPERSEDED", "ERASED"]

interface Seen {
  readonly node: Node
  readonly groupId: string
  readonly epochId: Bytes
  /** The furthest that it was seen. */
  status: GroupStatus
}

export class Invariants {
  /** Every share that was ever there, by node and epoch. */
  readonly #shares = new Map<string, Seen>()

  constructor(
    readonly it: Simulation,
    readonly rootKey: string,
  ) {}

  /** Remembers every share that is there; states only ever go on. */
  look(): void {
    for (const node of this.it.nodes) {
      if (!node.up) continue
      for (const { groupId, epochId, status, members } of node.store.groups.list()) {
        if (!members.some(({ party }) => party === node.party)) continue
        const key = `${node.name} ${groupId} ${toHex(epochId)}`
        const known = this.#shares.get(key)
        if (known === undefined && status === "ERASED") continue
        if (known === undefined) this.#shares.set(key, { node, groupId, epochId, status })
        else {
          expect([key, ORDER.indexOf(status) >= ORDER.indexOf(known.status)]).toEqual([key, true])
          known.status = status
        }
      }
    }
  }

  #record(node: Node, groupId: string, epochId: Bytes): GroupPublic {
    const found = node.epochs(groupId).find((group) => toHex(group.epochId) === toHex(epochId))
    if (found === undefined) throw new Error(`${node.name} has lost the record of an epoch of ${groupId}`)
    return found
  }

  /** The node was put back to before it had some of its shares. */
  forget(node: Node): void {
    for (const [key, share] of this.#shares) if (share.node === node) this.#shares.delete(key)
  }

  /** No share went but by the retention condition, and those that are there are what their records say. */
  async expectShares(): Promise<void> {
    for (const { node, groupId, epochId } of this.#shares.values()) {
      if (!node.up) continue
      const record = this.#record(node, groupId, epochId)
      if (record.status === "ERASED") {
        expect([node.name, groupId, await this.#mayBeErased(node, record)]).toEqual([node.name, groupId, true])
        continue
      }
      const secret = node.store.groups.open(groupId, epochId)
      checkShare(record, secret, node.party)
      wipeGroupSecret(secret)
    }
  }

  async #mayBeErased(node: Node, record: GroupPublic): Promise<boolean> {
    const after = node
      .epochs(record.groupId)
      .filter((later) => later.certificate !== undefined && outranks(later, record))
    for (const later of after) {
      if (node.signedIn.has(toHex(later.epochId))) return true
      if ((await this.#checkedUp(later)) >= later.threshold) return true
    }
    return false
  }

  /** How many members of the epoch have signed with their shares of it, as far as WaaS has verified. */
  async #checkedUp({ groupId, epochId }: GroupPublic): Promise<number> {
    const { store } = this.it
    for (const node of this.it.nodes) {
      const made = await store.successions(node.nodeId)
      const task = made.find(
        ({ outcome }) =>
          outcome?.type === "group" && outcome.group_id === groupId && outcome.epoch_id === toHex(epochId),
      )
      if (task !== undefined) return (await store.checkups(task.taskId)).length
    }
    return 0
  }

  /** Of each group one epoch is active, with all of its members among these nodes but those that lack it, and enough of them are. */
  expectOneEpochPerGroup(nodes: readonly Node[], lacks: (node: Node, groupId: string) => boolean): void {
    for (const groupId of groupIdsOf(nodes)) {
      const active = nodes.flatMap((node) => {
        const group = node.store.groups.active(groupId)
        return group === undefined ? [] : [{ node, group }]
      })
      const [first] = active
      expect([groupId, new Set(active.map(({ group }) => toHex(group.epochId))).size]).toEqual([groupId, 1])
      if (first === undefined) return
      const { group } = first
      const members = nodes.filter(({ party }) => memberOf(group, party) !== undefined)
      const whole = members.filter((node) => !lacks(node, groupId))
      expect(active.map(({ node }) => node.name).sort()).toEqual(whole.map(({ name }) => name).sort())
      expect(active.length).toBeGreaterThanOrEqual(group.threshold)
      expect(rootExtendedPublicKey(group)).toBe(this.rootKey)
      expectKey(
        group,
        active.slice(-group.threshold).map(({ node }) => node),
      )
    }
  }

  /** Nodes are all honest here: none may have said of another that it is not, and none may have met a bug. */
  expectNoBlame(): void {
    const said = this.it.log.filter(({ level }) => level === "error")
    expect(said).toEqual([])
    for (const node of this.it.nodes) {
      if (!node.up) continue
      expect([node.name, node.store.bans.list(), node.store.strikes.refused()]).toEqual([node.name, [], []])
    }
  }
}

const groupIdsOf = (nodes: readonly Node[]): readonly string[] => {
  const all = nodes.flatMap((node) => node.store.groups.list())
  return [...new Set(all.filter(({ status }) => status === "ACTIVE").map(({ groupId }) => groupId))]
}

/** The shares of these nodes, as many as the threshold, interpolate to the group's root key. */
function expectKey(group: GroupPublic, nodes: readonly Node[]): void {
  const curve = curveNamed(group.curve)
  const lambdas = lagrange(
    curve,
    nodes.map(({ party }) => memberOf(group, party)?.shareId ?? 0n),
  )
  const sum = nodes.reduce((sum, node, i) => {
    using share = node.store.groups.open(group.groupId, group.epochId).share
    return sum + (curve.decodeScalar(share.expose()) ?? 0n) * (lambdas[i] ?? 0n)
  }, 0n)
  expect(curve.encodePoint(curve.multiplyBase(curve.mod(sum)))).toEqual(group.commitments[0] ?? new Uint8Array(0))
}
