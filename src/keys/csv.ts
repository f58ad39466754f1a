/**
 * Comma-separated text, piece by piece: RFC 4180 with either line ending, and a byte order mark ignored. A row that breaks
 * the rules is a row with a problem, not the end of the file.
 */
import { CosignerError } from "../errors.ts"

export interface CsvRow {
  /** Of its first character, from 1. */
  readonly line: number
  readonly cells: readonly string[]
  readonly problem: string | undefined
}

/** A longer row is a quote that was never closed. */
const MAX_ROW = 65_536

type CsvPlace = "start" | "bare" | "quoted" | "quote"

export class CsvReader {
  #line = 1
  #rowLine = 1
  #cells: string[] = []
  #cell = ""
  #length = 0
  #place: CsvPlace = "start"
  #problem: string | undefined
  /** The last letter was a carriage return outside of quotes: half a line end, if a line feed follows. */
  #returned = false
  #first = true

  /** `file` names the file in errors. */
  constructor(readonly file: string) {}

  /** The rows that `text` completes. Throws E-KEY-030 when a row does not end. */
  push(text: string): CsvRow[] {
    const rows: CsvRow[] = []
    for (const letter of this.#first ? text.replace(/^\uFEFF/, "") : text) {
      if (++this.#length > MAX_ROW) {
        const reason = `the row that begins in line ${this.#rowLine} does not end; is a quote missing?`
        throw new CosignerError("E-KEY-030", { file: this.file, reason })
      }
      if (letter === "\n") this.#line++
      if (letter === "\n" && this.#place !== "quoted") this.#endRow(rows)
      else this.#take(letter)
      this.#returned = letter === "\r" && this.#place !== "quoted"
    }
    if (text !== "") this.#first = false
    return rows
  }

  /** The row that no line end follows, if there is one. */
  end(): CsvRow[] {
    const rows: CsvRow[] = []
    if (this.#place === "quoted") this.#problem ??= "a quoted field does not end"
    this.#endRow(rows)
    return rows
  }

  #take(letter: string): void {
    if (this.#place === "quoted") {
      if (letter === '"') this.#place = "quote"
      else this.#cell += letter
    } else if (letter === ",") this.#endCell()
    else if (letter === '"') this.#quote()
    else if (letter === "\r") this.#cell += letter
    else {
      if (this.#place === "quote") this.#problem ??= "text follows a closing quote"
      if (this.#place === "start") this.#place = "bare"
      this.#cell += letter
    }
  }

  /** A quote outside of a quoted field, or after what may have been its last. */
  #quote(): void {
    if (this.#place === "start" && this.#cell === "") this.#place = "quoted"
    else if (this.#place === "quote") {
      this.#cell += '"'
      this.#place = "quoted"
    } else this.#problem ??= "a quote stands inside an unquoted field"
  }

  #endCell(): void {
    this.#cells.push(this.#cell)
    this.#cell = ""
    this.#place = "start"
  }

  #endRow(rows: CsvRow[]): void {
    if (this.#returned) this.#cell = this.#cell.slice(0, -1)
    const blank = this.#cells.length === 0 && this.#cell === "" && this.#place === "start"
    this.#endCell()
    if (!blank) rows.push({ line: this.#rowLine, cells: this.#cells, problem: this.#problem })
    this.#cells = []
    this.#length = 0
    this.#problem = undefined
    this.#rowLine = this.#line
  }
}

/** One row with its line end; fields are quoted where they must be. */
export const csvLine = (cells: readonly string[]): string =>
  `${cells.map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(",")}\n`
