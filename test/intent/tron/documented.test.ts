/** Transactions that the chain's documentation and explorers show: raw data, its id, and what it is said to do. */
import { describe, expect, test } from "bun:test"
import { fromHex, toHex } from "../../../src/bytes.ts"
import { isProblem, type Reading } from "../../../src/intent/reading.ts"
import { tronTransaction } from "../../../src/intent/tron/transaction.ts"
import { CHAIN, NATIVE } from "./cases.ts"
import { contextOf } from "./scenario.ts"
import { addressOf } from "./web.ts"

const TRANSFER = "747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e5472616e73666572436f6e7472616374"
const TRIGGER = "747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e54726967676572536d617274436f6e7472616374"
const base58 = (twenty: string): string => addressOf(fromHex(twenty) ?? new Uint8Array(0)).text

const read = (raw: string): Reading => {
  const decoded = tronTransaction.decode(fromHex(raw) ?? new Uint8Array(0), contextOf(undefined))
  if (isProblem(decoded)) throw new Error(`${decoded.code} ${decoded.message} ${decoded.at}`)
  return decoded
}

const transfers = [
  {
    id: "c558bd35978267d8999baf6148703cbc94786f3f2e22893637588ca05437d7f0",
    raw: `0a02193b2208aaecd88e4e0e752840e098909f9b305a68080112640a2d${TRANSFER}12330a154198927ffb9f554dc4a453c64b2e553a02d6df514b121541d0b69631440f0a494bb51f7eee68ff5c593c00f01880ade20470b4d58c9f9b30`,
    ...{ from: "TPswDDCAWhJAZGdHPidFg5nEf8TkNToDX1", to: "TUznHJfHe6gdYY7gvWmf6bNZHuPHDZtowf" },
    ...{ amount: 10_000_000n, expires: "1656580476" },
  },
  {
    id: "0ae84a8439f5aa8fd2c458879a4031a7452aebed8e6e99ffbccd26842d4323c4",
    raw: `0a02163d220877ef4ace148b05ba40d8c5e5a6a32d5a69080112630a2d${TRANSFER}12320a1541a7d8a35b260395c14aa456297662092ba3b76fc01215415a523b449890854c8fc460ab602df9f31fe4293f18c0843d2802709af4e1a6a32d`,
    ...{ from: "TRGhNNfnmgLegT4zHNjEqDSADjgmnHvubJ", to: "TJCnKsPa7y5okkXvQAidZBzqx3QyQ6sxMW" },
    ...{ amount: 1_000_000n, expires: "1555664823" },
  },
  {
    id: "88817b9c6276e3c535e4f8f15baf546292ca6ad9d44a7d97857bd6f8909d63d4",
    raw: `0a0202a22208e216e254e43ee10840c8cbe4e3df2d5a67080112630a2d${TRANSFER}12320a15415c68cc82c87446f602f019e5fd797437f5b79cc212154156a6076cd1537fa317c2606e4edfa4acd3e8e92e18a08d06709084e1e3df2d`,
    from: base58("5c68cc82c87446f602f019e5fd797437f5b79cc2"),
    to: base58("56a6076cd1537fa317c2606e4edfa4acd3e8e92e"),
    ...{ amount: 100_000n, expires: "1571898861" },
  },
]

describe("transfers", () => {
  for (const { id, raw, from, to, amount, expires } of transfers) {
    test(id, () => {
      const reading = read(raw)
      expect(toHex(reading.signs[0]!.bytes)).toBe(id)
      expect(reading).toMatchObject({
        from: [from],
        expires,
        effects: [{ kind: "transfer", from, to, asset: NATIVE, amount }],
      })
    })
  }
})

test("a call that changes nothing: balanceOf", () => {
  const reading = read(
    `0a0228c022089eabbe133123b34c40d0d6f0c0dd335a8e01081f1289010a31${TRIGGER}12540a1541dd791d6b49e190062d650e6a23c575510d35f2f9121541eca9bc828a3005b9a3b909f2cc5c2a54794de05f222470a08231000000000000000000000000dd791d6b49e190062d650e6a23c575510d35f2f970cb97edc0dd33`,
  )
  expect(toHex(reading.signs[0]!.bytes)).toBe("cff6488e738ce77f7325572fe0aa2470f87dbf1c95eeeb2c25feec59d5afa35c")
  expect(reading.effects).toMatchObject([{ kind: "call", selector: "0x70a08231", value: 0n }])
})

test("a TRC-20 transfer whose client left the prefix 0x41 before the address, as the chain carried it out", () => {
  const data =
    "a9059cbb00000000000000000000004150125bea243a640bf85348873b6c4f3c517aee7a0000000000000000000000000000000000000000000000000000000000000001"
  const reading = read(
    `0a028ad92208eaef69105495eb1540f09fc0cfcd335aae01081f12a9010a31${TRIGGER}12740a1541495511a493d8c362be4267224e6d81013a6862ee121541eca9bc828a3005b9a3b909f2cc5c2a54794de05f2244${data}7090cbbccfcd33900180c2d72f`,
  )
  expect(toHex(reading.signs[0]!.bytes)).toBe("c70b20da8cb8d96a99c1aceb283412acb9dea313a9e467178431a3c6ae8b9f08")
  const token = base58("eca9bc828a3005b9a3b909f2cc5c2a54794de05f")
  expect(reading.effects).toMatchObject([
    { kind: "call", to: token, data: fromHex(data)! },
    {
      ...{ kind: "transfer", from: base58("495511a493d8c362be4267224e6d81013a6862ee"), amount: 1n },
      ...{ to: base58("50125bea243a640bf85348873b6c4f3c517aee7a"), asset: `${CHAIN}/trc20:${token}` },
    },
  ])
  expect(reading.fee.max).toBeGreaterThan(100_000_000n)
})

test("an update of permissions: two keys of two, a multi-signature account", () => {
  const type =
    "747970652e676f6f676c65617069732e636f6d2f70726f746f636f6c2e4163636f756e745065726d697373696f6e557064617465436f6e7472616374"
  const reading = read(
    `0a02848a2208305274c7f1f088da40889accf0e5325aea01082e12e5010a3c${type}12a4010a1541fd49eda0f23ff7ec1d03b52c3a45991c24cd440e12241a056f776e657220013a190a1541fd49eda0f23ff7ec1d03b52c3a45991c24cd440e1001226508021a0761637469766530200232207fff1fc0037e00000000000000000000000000000000000000000000000000003a190a1541fd49eda0f23ff7ec1d03b52c3a45991c24cd440e10013a190a154198927ffb9f554dc4a453c64b2e553a02d6df514b100170c0cac8f0e532`,
  )
  const [from] = reading.from
  const set = { kind: "set_authority", action: "set" }
  const active = `active 2 permission "active0" for 7fff1fc0037e${"00".repeat(26)}, weight 1`
  expect(reading.effects).toMatchObject([
    { ...set, from, role: 'owner permission "owner", weight 1', authority: from, threshold: 1n },
    { ...set, from, role: active, authority: "TZ4UXDV5ZhNW7fb2AMSbgfAEZ7hWsnYS2g", threshold: 2n },
    { ...set, from, role: active, authority: "TPswDDCAWhJAZGdHPidFg5nEf8TkNToDX1", threshold: 2n },
  ])
})
