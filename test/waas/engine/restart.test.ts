/** WaaS dies between any two frames, loses all that was on the way, and comes back on the same file. */
import { expect, test } from "bun:test"
import { must, Rig } from "../../support/waas.ts"

/** Runs `begin`, dies after `frames` frames, comes back; true when fewer frames than that were needed in all. */
async function dieAfter<T>(
  frames: number,
  rig: Rig,
  begin: () => Promise<T>,
  isDone: (t: T) => Promise<boolean>,
): Promise<boolean> {
  const awaited = await begin()
  await rig.relay.settle(frames)
  const early = await isDone(awaited)
  await rig.crash()
  await rig.relay.settle()
  // A session that lived through it at both nodes goes on; one that lost a message hangs and is begun again.
  for (let i = 0; i < 3 && !(await isDone(awaited)); i++) {
    await rig.pass(60_000)
    await rig.pass(1_000)
    await rig.relay.settle()
  }
  expect(await isDone(awaited)).toBe(true)
  return early
}

test("a key generation survives a restart of WaaS between any two frames", async () => {
  for (let frames = 0; ; frames++) {
    await using rig = await Rig.open({ curves: ["ED25519"] })
    const vault = await rig.vault()
    const group = await rig.group(vault)
    const early = await dieAfter(
      frames,
      rig,
      () => rig.keyGen(vault, group),
      async (request) => (await rig.tss(request)).status === "Success",
    )
    expect((await rig.mustGroup(group.groupId)).status).toBe("Valid")
    expect((await rig.mustVault(vault.vaultId)).rootKeys.length).toBe(1)
    if (early) {
      expect(frames).toBeGreaterThan(10)
      return
    }
  }
})

test("a signing request survives a restart of WaaS between any two frames", async () => {
  for (let frames = 0; ; frames++) {
    await using rig = await Rig.open({ curves: ["ED25519"] })
    const made = await rig.madeVault()
    const early = await dieAfter(
      frames,
      rig,
      () => rig.sign(made),
      async (request) => (await rig.signed(request)).status === "Completed",
    )
    if (early) {
      expect(frames).toBeGreaterThan(6)
      return
    }
  }
})

test("a request that was cancelled stays so, and the nodes hear of it after the restart", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  rig.node(1).behaviour = { decide: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  await rig.engine.cancelSignRequest(request.signRequestId)
  await rig.crash()
  await rig.relay.settle()
  expect((await rig.signed(request)).status).toBe("Canceled")
  expect(rig.node(0).cancelled).toContain(must(request.taskIds[0]))
})

test("a deadline that passed while WaaS was down ends the request at once", async () => {
  await using rig = await Rig.open({ curves: ["ED25519"] })
  const made = await rig.madeVault()
  rig.node(1).behaviour = { decide: () => "silent" }
  const request = await rig.sign(made)
  await rig.relay.settle()
  rig.clock.advance(600_000)
  await rig.crash()
  expect((await rig.signed(request)).code).toBe("E-WAA-020")
})
