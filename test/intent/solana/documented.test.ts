/** The transaction that the chain's documentation of `sendTransaction` shows, with the signature over its message. */
import { expect, test } from "bun:test"
import { ed25519 } from "@noble/curves/ed25519.js"
import { getBase58Encoder } from "@solana/kit"
import { isProblem } from "../../../src/intent/reading.ts"
import { solanaMessage } from "../../../src/intent/solana/message.ts"
import { addressBytes } from "../../../src/intent/solana/pda.ts"
import { NATIVE } from "./cases.ts"
import { contextOf } from "./scenario.ts"

const SENT =
  "4hXTCkRzt9WyecNzV1XPgCDfGAZzQKNxLXgynz5QDuWWPSAZBZSHptvWRL3BjCvzUXRdKvHL2b7yGrRQcWyaqsaBCncVG7BFggS8w9snUts67BSh3EqKpXLUm5UMHfD7ZBe9GhARjbNQMLJ1QD3Spr6oMTBU6EhdB4RD8CP2xUxr2u3d6fos36PD98XS6oX8TQjLpsMwncs5DAMiD4nNnR8NBfyghGCWvCVifVwvA8B8TJxE1aiyiv2L429BCWfyzAme5sZW8rDb14NeCQHhZbtNqfXhcp2tAnaAT"

test("one signature, over the message that is read: 5 SOL", () => {
  const bytes = Uint8Array.from(getBase58Encoder().encode(SENT))
  const [count, signature, message] = [bytes[0], bytes.subarray(1, 65), bytes.subarray(65)]
  const reading = solanaMessage.decode(message, { ...contextOf([]), chains: [] })
  if (isProblem(reading)) throw new Error(reading.message)
  const [from = ""] = reading.from
  expect(count).toBe(1)
  expect(ed25519.verify(signature, reading.signs[0]!.bytes, addressBytes(from)!)).toBe(true)
  expect(reading).toMatchObject({
    from: ["5ebCWDVzvDGyEbgfiv1ATMucpFJrM8nhrHvAwE4tUE2c"],
    effects: [
      {
        ...{ kind: "transfer", from, to: "vines1vzrYbzLMRdu58ou5XTby4qAqVRLmqo36NKPTg" },
        ...{ asset: NATIVE, amount: 5_000_000_000n },
      },
    ],
    fee: { max: 5000n },
    expires: "blockhash DqeB5VuR74t8Ew2gsk2RdM5ymXCiSdNg8NS7UrEiXJfE",
  })
})
