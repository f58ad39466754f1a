/** [audit]: the log for auditors: how long its leaves are kept, and where its checkpoints go beside the other nodes. */
import { Type } from "@sinclair/typebox"
import { parseNoteKey } from "../audit/note.ts"
import { entryOf, listOf, path, requiredInteger, tableOf, text, textThat, url } from "../settings/schema.ts"

const witness = entryOf("A witness elsewhere, which cosigns as the other nodes do (C2SP tlog-witness).", {
  url: url(
    { schemes: ["https", "http"], credentials: false },
    "https://witness.example.com/w1",
    "Its submission prefix; /add-checkpoint is put behind it.",
  ),
  key: textThat(
    (key) => parseNoteKey(key)?.role === "witness",
    {
      name: "witness-key",
      expected: "a C2SP verifier key of a witness",
      example: "witness.example.com/w1+8122a5ab+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
    },
    "The key by which it cosigns.",
  ),
})

export const audit = tableOf("The log for auditors. The other nodes of its groups witness it by themselves.", {
  keep_days: Type.Optional(
    requiredInteger(
      30,
      36_500,
      2_557,
      "How long leaves are kept; hashes stay, so that what was exported can be proven. All are kept if absent.",
    ),
  ),
  anchor_folder: Type.Optional(
    path(
      "anchors",
      "Where each new checkpoint is written as a file of its own, once a minute at most; for write-once storage.",
    ),
  ),
  anchor_command: listOf(text("anchor", "A word of the command."), {
    description: "A program and its arguments that takes each new checkpoint on its standard input and exits with 0.",
    expected: "a list of words",
    example: ["/usr/local/bin/anchor", "--bucket", "audit"],
    maxItems: 64,
  }),
  witnesses: listOf(witness, {
    description: "Witnesses beside the other nodes.",
    expected: "a list of tables with url and key",
    maxItems: 16,
  }),
})
