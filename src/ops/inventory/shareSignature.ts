/** A share check-up's signature, for people and for programs; scripts look for the word Signature (formats.md 4.3). */
import type { ShareSignature } from "../../tasks/localShareSign.ts"
import type { Shown } from "./shown.ts"

const READ_AS = { hex: "hex", "utf-8": "text, its UTF-8 bytes (hex begins with 0x)" } as const

export const showSignature = (signed: ShareSignature): Shown => ({
  value: signed,
  lines: [
    `TSS Node ID: ${signed.node_id}`,
    `Group: ${signed.group_id}`,
    `Curve: ${signed.curve}`,
    `Share Public Key: ${signed.share_public_key}`,
    `Message: ${signed.message}`,
    `Message Read As: ${READ_AS[signed.message_encoding]}`,
    `Message Hash: ${signed.msg_hash}`,
    `Signature: ${signed.signature}`,
  ],
})
