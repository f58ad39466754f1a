/** A PNG of a screen as a PNG with a palette, which is a third of the size: pages have few colours, and shades between them. */
import { crc32, deflateSync, inflateSync } from "node:zlib"

interface Pixels {
  readonly width: number
  readonly height: number
  /** RGB. */
  readonly data: Uint8Array
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
const MOST_COLOURS = 256

/** Of a PNG of 8 bits a channel, RGB or RGBA, not interlaced, as Chromium makes them. */
export function withPalette(png: Buffer): Buffer {
  const { width, height, data } = decoded(png)
  const colours = coloursOf(data)
  const indices = new Map(colours.map((colour, i) => [colour, i]))
  const rows = Buffer.alloc((width + 1) * height)
  for (let i = 0; i < width * height; i++) {
    const colour = colourAt(data, i)
    const index = indices.get(colour) ?? nearest(colour, colours)
    indices.set(colour, index)
    rows[Math.floor(i / width) * (width + 1) + 1 + (i % width)] = index
  }
  return written(width, height, colours, rows)
}

const colourAt = (data: Uint8Array, pixel: number): number =>
  ((data[pixel * 3] ?? 0) << 16) | ((data[pixel * 3 + 1] ?? 0) << 8) | (data[pixel * 3 + 2] ?? 0)

/** The most frequent: grounds, cards and marks keep their own, and rare shades at the edges of letters take the nearest. */
function coloursOf(data: Uint8Array): readonly number[] {
  const counts = new Map<number, number>()
  for (let i = 0; i < data.length / 3; i++) counts.set(colourAt(data, i), (counts.get(colourAt(data, i)) ?? 0) + 1)
  return [...counts]
    .sort(([a, x], [b, y]) => y - x || a - b)
    .slice(0, MOST_COLOURS)
    .map(([colour]) => colour)
}

function nearest(colour: number, colours: readonly number[]): number {
  const distance = (other: number): number =>
    [16, 8, 0].reduce((sum, shift) => sum + (((colour >> shift) & 255) - ((other >> shift) & 255)) ** 2, 0)
  let best = 0
  for (let i = 1; i < colours.length; i++) if (distance(colours[i] ?? 0) < distance(colours[best] ?? 0)) best = i
  return best
}

function decoded(png: Buffer): Pixels {
  if (!png.subarray(0, 8).equals(SIGNATURE)) throw new RangeError("no PNG")
  let header: Buffer = Buffer.alloc(0)
  const packed: Buffer[] = []
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at)
    const type = png.toString("latin1", at + 4, at + 8)
    const body = png.subarray(at + 8, at + 8 + length)
    if (type === "IHDR") header = body
    if (type === "IDAT") packed.push(body)
    at += 12 + length
  }
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)]
  const channels = header[9] === 6 ? 4 : header[9] === 2 ? 3 : 0
  if (header[8] !== 8 || channels === 0 || header[12] !== 0) throw new RangeError("a PNG of another kind")
  const rows = unfiltered(inflateSync(Buffer.concat(packed)), width * channels, height, channels)
  const data = new Uint8Array(width * height * 3)
  for (let i = 0; i < width * height; i++) data.set(rows.subarray(i * channels, i * channels + 3), i * 3)
  return { width, height, data }
}

/** PNG (third edition) 9.2. */
function unfiltered(raw: Buffer, stride: number, height: number, channels: number): Uint8Array {
  const out = new Uint8Array(stride * height)
  const at = (y: number, x: number): number => (y < 0 || x < 0 ? 0 : (out[y * stride + x] ?? 0))
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)] ?? 0
    for (let x = 0; x < stride; x++) {
      const [left, up, corner] = [at(y, x - channels), at(y - 1, x), x < channels ? 0 : at(y - 1, x - channels)]
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter] ?? 0
      out[y * stride + x] = (raw[y * (stride + 1) + 1 + x] ?? 0) + guess
    }
  }
  return out
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner
  const [a, b, c] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)]
  return a <= b && a <= c ? left : b <= c ? up : corner
}

function written(width: number, height: number, colours: readonly number[], rows: Buffer): Buffer {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  header.set([8, 3, 0, 0, 0], 8)
  const palette = Buffer.from(colours.flatMap((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]))
  const parts = [chunk("IHDR", header), chunk("PLTE", palette), chunk("IDAT", deflateSync(rows, { level: 9 }))]
  return Buffer.concat([SIGNATURE, ...parts, chunk("IEND", Buffer.alloc(0))])
}

function chunk(type: string, body: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), body])
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(body.length)
  sum.writeUInt32BE(crc32(named))
  return Buffer.concat([length, named, sum])
}
