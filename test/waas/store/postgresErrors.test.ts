/** What a SQLSTATE means for whoever asked: the database is away and is to be asked again, or it refused. */
import { expect, test } from "bun:test"
import { SQL } from "bun"
import { isCode } from "../../../src/errors.ts"
import { asStoreError } from "../../../src/waas/store/postgresErrors.ts"

const said = (errno: string): unknown =>
  asStoreError(new SQL.PostgresError("said no", { code: "ERR_POSTGRES_SERVER_ERROR", errno, detail: "secret" }), "db")

test.each([
  ["08006", "E-WAA-070"],
  ["53100", "E-WAA-070"],
  ["57P01", "E-WAA-070"],
  ["57014", "E-WAA-070"],
  // Its process stood still in the middle of a transaction.
  ["25P03", "E-WAA-070"],
  ["40001", "E-WAA-070"],
  ["42501", "E-WAA-071"],
  ["25P02", "E-WAA-071"],
  ["23505", "E-WAA-071"],
  ["CO001", "E-WAA-086"],
] as const)("SQLSTATE %s is %s, without the row that it was about", (errno, code) => {
  const error = said(errno)
  expect(isCode(error, code)).toBe(true)
  expect(String(error)).not.toContain("secret")
})
