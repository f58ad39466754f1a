/** The reference event server against tokens of nodes and of others. */

import { expect, test } from "bun:test"
import { generateKeyPairSync, randomUUID } from "node:crypto"
import { type ReceivedEvent, startEventServer } from "../../src/kit/eventServer.ts"
import { FORM_FIELD, tokenSigner } from "../../src/wire/tssJwt.ts"

const node = generateKeyPairSync("rsa", { modulusLength: 2048 })
const stranger = generateKeyPairSync("rsa", { modulusLength: 2048 })
const sign = tokenSigner(node.privateKey, "test key")

function serve(onEvent: (event: ReceivedEvent) => void = () => undefined) {
  const events: ReceivedEvent[] = []
  const take = (event: ReceivedEvent): void => {
    onEvent(event)
    events.push(event)
  }
  const server = startEventServer(
    { nodeKeys: [node.publicKey], now: Date.now, onEvent: take },
    { hostname: "127.0.0.1", port: 0 },
  )
  const post = async (token: string): Promise<number> => {
    const body = new URLSearchParams({ [FORM_FIELD]: token })
    return (await fetch(`http://127.0.0.1:${server.port}/v2/event`, { method: "POST", body })).status
  }
  return { events, post, [Symbol.asyncDispose]: () => server.stop(true) }
}

const event = (eventId: string, type = "request.keysign.succeeded") =>
  JSON.stringify({ event_id: eventId, event_type: type, node_id: "cosNode", created_timestamp: 1, data: { x: 1 } })
const token = (body: string, by = sign) => by(body, Date.now() + 120_000)

test("an event is handed on once and taken as often as it comes; a ping is taken and not handed on", async () => {
  await using it = serve()
  const id = randomUUID()
  expect(await it.post(await token(event(id)))).toBe(200)
  expect(await it.post(await token(event(id)))).toBe(200)
  expect(await it.post(await token(event(randomUUID(), "ping")))).toBe(200)
  expect(it.events).toMatchObject([{ eventId: id, eventType: "request.keysign.succeeded", body: { data: { x: 1 } } }])
})

test("what no known node signed, what has expired, and what is no event is refused", async () => {
  await using it = serve()
  const body = event(randomUUID())
  expect(await it.post(await token(body, tokenSigner(stranger.privateKey, "other")))).toBe(400)
  expect(await it.post(await sign(body, Date.now() - 3_600_000))).toBe(400)
  expect(await it.post("nonsense")).toBe(400)
  expect(await it.post(await token("[]"))).toBe(400)
  expect(await it.post(await token("{"))).toBe(400)
  expect(it.events).toEqual([])
})

test("an event that could not be handed on is not taken, and comes again", async () => {
  let broken = true
  await using it = serve(() => {
    if (broken) throw new Error("disk full")
  })
  const body = event(randomUUID())
  expect(await it.post(await token(body))).toBe(500)
  broken = false
  expect(await it.post(await token(body))).toBe(200)
  expect(it.events.length).toBe(1)
})
