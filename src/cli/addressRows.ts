/**
 * The rows of an address list, read from its file piece by piece. The file is RFC 4180 with either line ending. A quote in the wrong
 * place ends the reading, because nobody can tell where the next row begins.
 */
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { CsvError, parse } from "csv-parse"
import { CosignerError } from "../errors.ts"
import type { ListRow } from "../keys/addressList.ts"

/** A longer row is a quote that was never closed. */
const MAX_ROW_BYTES = 65_536

/** Replaces the parser's own messages, which quote the contents of cells. */
const PROBLEMS: Readonly<Record<string, string>> = {
  INVALID_OPENING_QUOTE: "a quote stands inside an unquoted field",
  CSV_INVALID_CLOSING_QUOTE: "text follows a closing quote",
  CSV_QUOTE_NOT_CLOSED: "a quoted field does not end",
  CSV_MAX_RECORD_SIZE: `the row has more than ${MAX_ROW_BYTES} bytes; is a quote missing?`,
}

interface ParsedRecord {
  readonly record: readonly string[]
  /** Empty lines so far. The parser's `lines` counts CR LF inside a quoted cell twice. */
  readonly info: { readonly empty_lines: number }
}

/**
 * Rows in the order of the file, without the empty ones. Throws E-KEY-030 for text that is not CSV, every error of `bytes`, and
 * a TypeError for bytes that are not UTF-8. `file` names the list in errors.
 */
export async function* addressRows(
  bytes: AsyncIterable<Uint8Array>,
  file: string,
): AsyncGenerator<ListRow, void, undefined> {
  const parser = parse({
    info: true,
    record_delimiter: ["\n", "\r\n"],
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_BYTES,
  })
  const records: AsyncIterable<ParsedRecord> = parser
  const done = pipeline(Readable.from(textOf(bytes)), parser)
  // the parser throws the same below
  done.catch(() => undefined)
  let next = 1
  let blanks = 0
  try {
    for await (const { record, info } of records) {
      const line = next + info.empty_lines - blanks
      yield { line, cells: record }
      next = line + record.join("").split("\n").length
      blanks = info.empty_lines
    }
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause
    const reason = `line ${cause["lines"]}: ${PROBLEMS[cause.code] ?? "it is not comma-separated text"}`
    throw new CosignerError("E-KEY-030", { file, reason })
  }
}

/** Omits a byte order mark. */
async function* textOf(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const decoder = new TextDecoder("utf-8", { fatal: true })
  for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true })
  yield decoder.decode()
}
