/** [audit]: the log for auditors: how long its leaves are kept, and where its checkpoints go besides the other nodes. */
import { Type } from "@sinclair/typebox"
import { parseNoteKey } from "../audit/note.ts"
import { entryOf, listOf, path, requiredInteger, tableOf, text, textThat, url } from "../settings/schema.ts"

const witness = entryOf("An external witness, which cosigns as the other nodes do (C2SP tlog-witness).", {
  url: url(
    { schemes: ["https", "http"], credentials: false },
    "https://witness.example.com/w1",
    "Its submission prefix, to which /add-checkpoint is appended.",
  ),
  key: textThat(
    (key) => parseNoteKey(key)?.role === "witness",
    {
      name: "witness-key",
      expected: "a C2SP verifier key of a witness",
      example: "witness.example.com/w1+8122a5ab+BOpKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs",
    },
    "The key with which it cosigns.",
  ),
})

export const audit = tableOf(
  "The log for auditors. The other nodes of this node's groups witness it without any setting.",
  {
    keep_days: Type.Optional(
      requiredInteger(
        30,
        36_500,
        2_557,
        "How long leaves are kept. Hashes stay, so that exported leaves can still be proven. If absent, all are kept.",
      ),
    ),
    anchor_folder: Type.Optional(
      path(
        "anchors",
        "Folder to which each new checkpoint is written as a separate file, at most once a minute; for write-once storage.",
      ),
    ),
    anchor_command: listOf(text("anchor", "A word of the command."), {
      description:
        "A program with its arguments. It gets each new checkpoint on its standard input and must exit with 0.",
      expected: "a list of words",
      example: ["/usr/local/bin/anchor", "--bucket", "audit"],
      maxItems: 64,
    }),
    witnesses: listOf(witness, {
      description: "Witnesses in addition to the other nodes.",
      expected: "a list of tables with url and key",
      maxItems: 16,
    }),
  },
)
