/** Expensive requests: a good server drops them and stays available for its node. */
import { connect } from "node:net"
import { FORM_FIELD } from "../../../wire/tssJwt.ts"
import { post } from "../client.ts"
import { ask, type Case, type Kit, keyGenBody, ping } from "../kit.ts"

const HUGE = 32 * 1024 * 1024

export const loadCases: readonly Case[] = [
  {
    id: "huge-body",
    severity: "major",
    title: "survives a body of 32 MiB, and says no to it",
    needs: "nothing",
    run: async (kit) => {
      const reply = await post(kit.target, "A".repeat(HUGE))
      if (reply.valid && reply.action === "APPROVE") return "it approved"
      return alive(kit, "huge-body")
    },
  },
  {
    id: "huge-answer",
    severity: "minor",
    title: "keeps its answers below 16 KiB, also to long requests",
    needs: "nothing",
    run: async (kit) => {
      const body = { ...keyGenBody(kit), extra_info: JSON.stringify({ note: "x".repeat(200_000) }) }
      const reply = await ask(kit, "huge-answer", body)
      return reply.size <= 16_384 ? undefined : `it answered with ${reply.size} bytes`
    },
  },
  {
    id: "slow-body",
    severity: "major",
    title: "answers others while somebody sends a body byte by byte",
    needs: "nothing",
    run: (kit) => slowBody(kit),
  },
]

async function alive(kit: Kit, id: string): Promise<string | undefined> {
  const reply = await ask(kit, id, ping)
  return reply.valid ? undefined : `afterwards it does not answer: ${reply.problem}`
}

/** Holds one connection open with an unfinished request while a ping goes through another. */
async function slowBody(kit: Kit): Promise<string | undefined> {
  const url = new URL(kit.target.url)
  if (url.protocol !== "http:") return undefined
  const socket = connect(Number(url.port || 80), url.hostname.replaceAll(/[[\]]/g, ""))
  socket.on("error", () => undefined)
  await new Promise<void>((resolve) => {
    socket.once("connect", () => resolve())
    socket.once("close", () => resolve())
  })
  socket.write(
    `POST ${url.pathname} HTTP/1.1\r\nHost: ${url.host}\r\nContent-Type: application/x-www-form-urlencoded\r\n` +
      `Content-Length: 100000\r\n\r\n${FORM_FIELD}=`,
  )
  const drip = setInterval(() => socket.write("A"), 50)
  try {
    return await alive(kit, "slow-body")
  } finally {
    clearInterval(drip)
    socket.destroy()
  }
}
