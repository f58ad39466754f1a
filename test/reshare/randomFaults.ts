/**
 * Random lives of a vault: reshares of every kind follow and overtake one another while messages are lost, doubled, delayed and
 * put in another order, nodes die at any durable step and come back, WaaS restarts, and sometimes one node is gone for good,
 * or goes on from an older copy of its database.
 * Then the weather clears, whatever is late arrives, and what threshold.md 6 promises must hold. All choices come from one seed.
 */
import { expect } from "bun:test"
import { ApiFailure } from "../../src/waas/failure.ts"
import type { CurveType, HolderGroup, TssRequest, TssRequestType, Vault } from "../../src/waas/store/model.ts"
import { nodeIdOf } from "../../src/wire/nodeId.ts"
import { SeededRandom } from "../support/seededRandom.ts"
import { Invariants } from "./invariants.ts"
import { type Node, type Passing, Simulation } from "./simulation.ts"

const HOUR = 3_600_000
const NAMES = ["a", "b", "c", "d", "e", "f"] as const

const isOf = (kind: Passing["frame"]["kind"], envelopeRound?: number): ((passing: Passing) => boolean) => {
  return ({ frame }) =>
    frame.kind === kind &&
    (envelopeRound === undefined || (frame.kind === "envelope" && frame.envelope[7] === envelopeRound))
}
const ACK = isOf("envelope", 4)
const KEPT_BACK = (passing: Passing): boolean =>
  ACK(passing) || (passing.frame.kind === "report" && passing.frame.status === 190)
/** What may go missing for a while as a whole, to or from some nodes. */
const TROUBLES: readonly ((passing: Passing) => boolean)[] = [
  KEPT_BACK,
  ACK,
  isOf("succession"),
  isOf("outcomeStored"),
  isOf("start"),
  isOf("task"),
  isOf("cancel"),
  ({ frame }) => frame.kind === "report" && frame.status === 190,
  ({ frame }) => frame.kind === "report" && frame.status === 140,
]

export class RandomFaults implements AsyncDisposable {
  readonly diary: string[] = []
  /** How many epochs that are over were asked to sign, and refused. */
  refused = 0
  readonly #random: SeededRandom
  readonly #invariants: Invariants
  #late: Passing[] = []
  /** Stays away from here on. */
  #gone: Node | undefined
  /** A copy of a node's database, and whether the node goes on from it by now: then it has lost the shares since. */
  #copy: { readonly node: Node; readonly file: string; isBack: boolean } | undefined

  private constructor(
    readonly it: Simulation,
    readonly vault: Vault,
    readonly curve: CurveType,
    /** How many nodes every group can do without: one where one may be gone for good. */
    readonly spare: number,
    random: SeededRandom,
  ) {
    this.#random = random
    this.#invariants = new Invariants(it, vault.rootKeys[0]?.rootPubkey ?? "")
  }

  static async brew(seed: number, curve: CurveType): Promise<RandomFaults> {
    const random = new SeededRandom(seed)
    const it = await Simulation.open(NAMES, [curve])
    const spare = random.percent(40) ? 1 : 0
    const size = random.pick([2 + spare, 3, 4, 4])
    const { vault } = await it.generated(random.pick([2, 2, size - spare]), random.some(NAMES, size))
    const randomFaults = new RandomFaults(it, vault, curve, spare, random)
    randomFaults.#invariants.look()
    return randomFaults
  }

  // ---- the randomFaults ---------------------------------------------------------------------------------------------------

  async rage(acts: number): Promise<void> {
    const { it } = this
    const random = this.#random
    for (let n = 0; n < acts; n++) {
      this.#take()
      this.#weather()
      await this.#action()
      await it.settle()
      if (random.percent(50)) await it.pass(random.pick([200, 1_000, 6_000, 20_000, 95_000]))
      this.#invariants.look()
      for (const node of it.nodes) if (!node.up && node !== this.#gone && random.percent(50)) await this.#wake(node)
      this.#invariants.look()
      if (random.percent(20)) await this.#putBack()
    }
    await this.#putBack()
  }

  /** Draws anew what happens to messages, and who dies at which of its next durable steps. */
  #weather(): void {
    const { it } = this
    const random = this.#random
    const [lost, late, twice] = [random.pick([0, 0, 1, 5]), random.pick([0, 2, 10]), random.pick([0, 0, 10])]
    const mixed = random.percent(30)
    if (random.percent(60)) this.#trouble()
    it.disturb = (batch) => {
      const arriving = batch.flatMap((passing): readonly Passing[] => {
        if (random.percent(lost)) return []
        if (random.percent(late)) {
          this.#late.push(passing)
          return []
        }
        return random.percent(twice) ? [passing, passing] : [passing]
      })
      return mixed ? random.shuffled(arriving) : arriving
    }
    for (const node of it.nodes) {
      if (!node.up || !random.percent(20)) continue
      node.dies = { step: node.steps.length + random.between(1, 9), when: random.pick(["before", "after"]) }
    }
    if (random.percent(15)) it.restartIn(random.between(1, 60))
    const isWhole = this.#gone === undefined && this.#copy === undefined
    if (this.spare > 0 && isWhole && random.percent(30)) this.#lose(random.pick(it.nodes))
    if (random.percent(40)) it.queue.push(...this.#late.splice(0))
    this.diary.push(`lost ${lost} late ${late} twice ${twice}${mixed ? " mixed" : ""}`)
  }

  /** Trouble stays until there is another, or none. */
  #trouble(): void {
    const random = this.#random
    const trouble = random.percent(70) ? random.pick(TROUBLES) : undefined
    const victims = random.some(this.it.nodes, random.pick([1, 1, 2, 2, NAMES.length]))
    this.it.passes = (passing) => {
      const node = passing.kind === "down" ? passing.to : passing.from
      return !(trouble?.(passing) === true && victims.includes(node))
    }
    const whose = victims.map(({ name }) => name).join("")
    this.diary.push(trouble === undefined ? "no trouble" : `trouble ${TROUBLES.indexOf(trouble)} for ${whose}`)
  }

  #lose(node: Node): void {
    this.#gone = node
    if (this.#random.percent(50)) node.kill()
    else
      node.dies = {
        step: node.steps.length + this.#random.between(1, 12),
        when: this.#random.pick(["before", "after"]),
      }
    this.diary.push(`${node.name} goes for good`)
  }

  /** Where every group can do without a node, one may be copied, and later be put back by its operator. */
  #take(): void {
    if (this.spare === 0 || this.#gone !== undefined || this.#copy !== undefined || !this.#random.percent(40)) return
    const signing = this.it.nodes.filter(
      ({ up, store }) => up && store.groups.list().some(({ status }) => status === "ACTIVE"),
    )
    if (signing.length === 0) return
    const node = this.#random.pick(signing)
    this.diary.push(`${node.name} is copied`)
    this.#copy = { node, file: node.copy("copy.db"), isBack: false }
  }

  /** While nothing goes on: a session that it is in the middle of, and remembers no more, it would begin again. */
  async #putBack(): Promise<void> {
    if (this.#copy === undefined || this.#copy.isBack) return
    const { node, file } = this.#copy
    this.#clearSky()
    await this.#cancel()
    // Past every signature that is still asked for.
    await this.it.pass(70_000)
    this.diary.push(`${node.name} is put back`)
    this.#copy.isBack = true
    this.#invariants.forget(node)
    await node.restore(file)
  }

  async #action(): Promise<void> {
    const random = this.#random
    const choice = random.below(100)
    try {
      if (choice < 65) await this.#reshare()
      else if (choice < 78) await this.#sign()
      else if (choice < 86) await this.#checkUp()
      else if (choice < 91) await this.#deadline()
      else if (choice < 95) await this.#restart()
      else this.#kill()
    } catch (error) {
      if (!(error instanceof ApiFailure)) throw error
      this.diary.push(`  refused: ${error.message}`)
    }
  }

  async #reshare(): Promise<void> {
    const { it, vault } = this
    const random = this.#random
    if (random.percent(70)) await this.#cancel()
    const source = random.pick(await this.#usable())
    const kinds: readonly (readonly [TssRequestType | "refresh", HolderGroup["type"]])[] = [
      ["refresh", source.type],
      ["KeyReshare", source.type],
      ["KeyReshare", source.type],
      ...(source.type === "MainGroup" ? ([["KeyGenFromKeyGroup", "RecoveryGroup"]] as const) : []),
      ...(source.type === "RecoveryGroup" ? ([["Recovery", "MainGroup"]] as const) : []),
    ]
    const [type, targetType] = random.pick(kinds)
    const size = random.between(2 + this.spare, 4)
    const names = random.some(this.#present(), size).map(({ name }) => name)
    const threshold = random.between(2, size - this.spare)
    const target = type === "refresh" ? source : await it.group(vault, targetType, threshold, names)
    const old = source.holders.map(({ nodeId }) => this.#named(nodeId))
    const dealers = random.percent(30)
      ? undefined
      : random.some(old, random.pick([source.threshold, source.threshold, old.length]))
    const who = type === "refresh" ? "itself" : `${threshold} of ${names.join("")}`
    this.diary.push(`${type} ${source.type} ${old.join("")} -> ${who} dealt by ${dealers?.join("") ?? "any"}`)
    const reshare = type === "refresh" || type === "KeyGen" ? "KeyReshare" : type
    if (random.percent(35)) return this.#hidden(source, target, { type: reshare, ...(dealers && { dealers }) })
    await it.reshare(vault, source, target, { type: reshare, allowSharedNodes: true, ...(dealers && { dealers }) })
  }

  /** One participant alone gets the certificate, says nothing and dies; the others are told to give the request up. */
  async #hidden(source: HolderGroup, target: HolderGroup, of: Parameters<Simulation["reshare"]>[3]): Promise<void> {
    const { it, vault } = this
    for (const node of this.#present()) if (!node.up) await this.#wake(node)
    const keeper = it.node(this.#named(this.#random.pick(target.holders).nodeId))
    this.diary.push(`  ${keeper.name} keeps the certificate for itself`)
    it.disturb = (batch) => batch
    it.passes = (passing) => !(passing.kind === "up" && passing.from === keeper && KEPT_BACK(passing))
    await it.reshare(vault, source, target, { allowSharedNodes: true, ...of })
    await it.settle()
    keeper.kill()
    await this.#cancel()
    await it.settle()
    it.passes = () => true
  }

  async #cancel(): Promise<void> {
    for (const request of await this.#open()) {
      this.diary.push("cancel")
      await this.it.engine.cancelTssRequest(request.tssRequestId)
    }
  }

  async #sign(): Promise<void> {
    const group = this.#random.pick(await this.#usable())
    const names = this.#random.some(group.holders, group.threshold).map(({ nodeId }) => this.#named(nodeId))
    const { status } = await this.it.sign(this.vault, group, names, this.curve)
    this.diary.push(`sign ${group.type} by ${names.join("")}: ${status}`)
  }

  async #checkUp(): Promise<void> {
    const { it, vault } = this
    const group = this.#random.pick(await this.#usable())
    const holders = this.#random.some(group.holders, group.threshold)
    this.diary.push(`check-ups of ${holders.map(({ nodeId }) => this.#named(nodeId)).join("")}`)
    for (const { nodeId } of holders) {
      const wish = { vault, group, nodeId, message: "0x61", description: "", deadlineMs: it.clock.nowMs + 60_000 }
      await it.engine.createShareSignRequest(wish)
    }
  }

  async #deadline(): Promise<void> {
    this.diary.push("an hour passes")
    await this.it.pass(HOUR)
  }

  async #restart(): Promise<void> {
    this.diary.push("WaaS restarts")
    await this.it.restartWaas()
  }

  #kill(): void {
    const node = this.#random.pick(this.it.nodes)
    this.diary.push(`${node.name} is killed`)
    node.kill()
  }

  async #wake(node: Node): Promise<void> {
    node.dies = undefined
    this.diary.push(`${node.name} is back`)
    await node.start()
  }

  // ---- afterwards --------------------------------------------------------------------------------------------------

  /** The weather clears: whoever is not gone is there, everything late arrives, and every deadline passes. */
  async clear(): Promise<void> {
    const { it } = this
    this.#clearSky()
    this.#gone?.kill()
    it.queue.push(...this.#random.shuffled(this.#late.splice(0)))
    await it.settle()
    for (const node of this.#present()) if (!node.up) await this.#wake(node)
    for (let n = 0; n < 5; n++) await it.pass(20_000)
    await it.pass(HOUR)
    for (let n = 0; n < 2; n++) {
      for (const node of this.#present()) await it.online(node)
      await it.settle()
    }
    this.#invariants.look()
  }

  #clearSky(): void {
    const { it } = this
    it.passes = () => true
    it.disturb = (batch) => batch
    it.restartAfter = undefined
    for (const node of it.nodes) node.dies = undefined
  }

  /** What must hold whatever has happened. */
  async expectSound(): Promise<void> {
    await this.#invariants.expectShares()
    this.#invariants.expectOneEpochPerGroup(this.#present(), (node, groupId) => this.#lacks(node, groupId))
    await this.#expectEveryGroupSigns()
    await this.#expectOldEpochsRefuse()
    this.#invariants.expectNoBlame()
  }

  /** And it goes on: the next reshare succeeds, to present nodes, and what it made signs. */
  async expectToGoOn(): Promise<void> {
    const { it, vault } = this
    for (const source of await this.#usable()) {
      const names = this.#random.some(this.#present(), 3).map(({ name }) => name)
      const target = await it.group(vault, source.type, 2, names)
      const dealers = this.#random.some(this.#signers(source), source.threshold)
      const request = await it.reshare(vault, source, target, { allowSharedNodes: true, dealers })
      await it.settle()
      for (let n = 0; n < 3; n++) await it.pass(20_000)
      expect(await it.request(request)).toMatchObject({ status: "Success", reason: "" })
      const { status, reason } = await it.sign(vault, target, this.#random.some(names, 2), this.curve)
      expect([status, reason]).toEqual(["Completed", ""])
    }
    this.#invariants.look()
    await this.#invariants.expectShares()
    this.#invariants.expectOneEpochPerGroup(this.#present(), (node, groupId) => this.#lacks(node, groupId))
    this.#invariants.expectNoBlame()
  }

  /** Whatever WaaS calls Valid signs with a quorum of those that are there; it has verified the signature under the root key. */
  async #expectEveryGroupSigns(): Promise<void> {
    const usable = await this.#usable()
    expect(usable.length).toBeGreaterThan(0)
    for (const group of usable) {
      const names = this.#random.some(this.#signers(group), group.threshold)
      const { status, reason } = await this.it.sign(this.vault, group, names, this.curve)
      expect([group.type, names, status, reason]).toEqual([group.type, names, "Completed", ""])
    }
  }

  /** A quorum of an epoch that is over does not sign, with whichever members of the present one it is mixed. */
  async #expectOldEpochsRefuse(): Promise<void> {
    for (const group of await this.#usable()) {
      const [shareGroup] = group.shareGroups
      const isMember = (nodeId: string) => group.holders.some((holder) => holder.nodeId === nodeId)
      const over = this.#present()
        .flatMap((node) => node.epochs(shareGroup?.shareGroupId ?? ""))
        .find(
          ({ members, certificate }) =>
            certificate !== undefined && members.some(({ party }) => !isMember(nodeIdOf(party))),
        )
      if (over === undefined) continue
      const there = over.members.filter(({ party }) => this.#present().some((node) => node.party === party))
      const outsiders = there.filter(({ party }) => !isMember(nodeIdOf(party)))
      const names = [...outsiders, ...there.filter((member) => !outsiders.includes(member))]
        .slice(0, over.threshold)
        .map(({ party }) => this.#named(nodeIdOf(party)))
      if (outsiders.length === 0 || names.length < over.threshold) continue
      const holders = names.map((name) => ({
        name,
        type: "API" as const,
        nodeId: this.it.node(name).nodeId,
        signer: true,
      }))
      const forged: HolderGroup = { ...group, threshold: over.threshold, holders }
      const { status } = await this.it.signAs(this.vault, forged, names, this.curve)
      expect([names, status]).toEqual([names, "Failed"])
      this.refused++
    }
  }

  // ---- what it sees ------------------------------------------------------------------------------------------------

  #present(): readonly Node[] {
    return this.it.nodes.filter((node) => node !== this.#gone)
  }

  /** Whether it was put back to before it had its share of the group's epoch. */
  #lacks(node: Node, groupId: string): boolean {
    return this.#copy?.isBack === true && this.#copy.node === node && node.store.groups.active(groupId) === undefined
  }

  /** Those holders of the group that are there and have their shares. */
  #signers({ holders, shareGroups }: HolderGroup): readonly string[] {
    const there = this.#present().filter((node) => holders.some(({ nodeId }) => nodeId === node.nodeId))
    return there.filter((node) => !this.#lacks(node, shareGroups[0]?.shareGroupId ?? "")).map(({ name }) => name)
  }

  #named(nodeId: string): string {
    const found = this.it.nodes.find((node) => node.nodeId === nodeId)
    if (found === undefined) throw new Error("no such node")
    return found.name
  }

  async #groups(): Promise<readonly HolderGroup[]> {
    const page = { limit: 100, after: undefined, before: undefined }
    return (await this.it.store.groups({ vaultId: this.vault.vaultId }, page)).items
  }

  async #usable(): Promise<readonly HolderGroup[]> {
    return (await this.#groups()).filter(({ status, shareGroups }) => status === "Valid" && shareGroups.length > 0)
  }

  async #open(): Promise<readonly TssRequest[]> {
    const page = { limit: 1, after: undefined, before: undefined }
    const { store } = this.it
    const slices = await Promise.all(
      (await this.#groups()).map(({ groupId }) => store.tssRequests({ vaultId: this.vault.vaultId, groupId }, page)),
    )
    const open = ["PendingKeyHolderConfirmation", "KeyGenerating", "MPCProcessing"]
    return slices.flatMap(({ items }) => items).filter(({ status }) => open.includes(status))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.it[Symbol.asyncDispose]()
  }
}
