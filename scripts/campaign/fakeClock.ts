/**
 * Loaded before the program: its wall clock is off by so many milliseconds as the file says that CAMPAIGN_CLOCK names. For a program
 * that runs from source: the compiled one loads nothing.
 */
import { readFileSync } from "node:fs"

const file = process.env["CAMPAIGN_CLOCK"] ?? ""
const LOOK_MS = 50
const now = Date.now.bind(Date)
let offsetMs = 0

function look(): void {
  try {
    offsetMs = Number(readFileSync(file, "utf8")) || 0
  } catch {
    // It is being written.
  }
}

look()
setInterval(look, LOOK_MS).unref()
Date.now = () => now() + offsetMs
