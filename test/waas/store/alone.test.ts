/** What a process agrees on with itself: work of one name goes one by one, an older copy of a node is not let in, news come at once. */
import { expect, test } from "bun:test"
import { alone } from "../../../src/waas/store/alone.ts"
import type { StoreNews } from "../../../src/waas/store/shared.ts"
import { must, Rig } from "../../support/waas.ts"

test("work of one name goes one by one, of another meanwhile", async () => {
  await using rig = await Rig.open()
  const shared = alone(rig.store)
  const said: string[] = []
  const held = Promise.withResolvers<void>()
  const work = (name: string, until?: Promise<void>) => async () => {
    said.push(`${name} begins`)
    await until
    said.push(`${name} ends`)
  }
  const first = shared.exclusively("a", work("first", held.promise))
  const second = shared.exclusively("a", work("second"))
  await shared.exclusively("b", work("other"))
  held.resolve()
  await Promise.all([first, second])
  expect(said).toEqual(["first begins", "other begins", "other ends", "first ends", "second begins", "second ends"])
})

test("an older copy of a node is behind, whoever comes first", async () => {
  await using rig = await Rig.open()
  const shared = alone(rig.store)
  const token = (boot: number, generation: number) => ({ incarnation: 1, boot, bootId: `${boot}`, generation })
  expect(await shared.admit("n", token(2, 10))).toBe("newest")
  expect(await Promise.all([shared.admit("n", token(3, 12)), shared.admit("n", token(2, 11))])).toEqual([
    "newest",
    "behind",
  ])
  expect(await shared.admit("m", token(1, 1))).toBe("newest")
})

test("an errand is for an open request, comes again until it is done, and is told at once", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const shared = alone(rig.store)
  const made = await rig.madeVault()
  must(rig.nodes[0]).online = false
  const request = await rig.sign(made)
  const news: StoreNews[] = []
  using _ = shared.subscribe((one) => news.push(one))
  expect(await shared.leaveErrand(request.signRequestId, { kind: "cancel" })).toBe(true)
  expect(await shared.leaveErrand("nobody's", { kind: "cancel" })).toBe(false)
  expect(news).toEqual([{ kind: "errands" }])
  const [kept] = await shared.errands()
  expect(kept).toMatchObject({ requestId: request.signRequestId, errand: { kind: "cancel" } })
  await shared.errandDone(must(kept).id)
  expect(await shared.errands()).toEqual([])
  expect(await shared.ownerOf("unknown")).toBe("none")
})
