/** `cosigner release-key | release-sign | release-verify`: who made a release, in the format of minisign. */
import { basename, dirname } from "node:path"
import { EXIT } from "../errors/entry.ts"
import { createReleaseKey, releasePublicKey, signRelease, verifyRelease } from "../kit/release/keyFile.ts"
import { command, optional, refuse, value, valueOr } from "./command.ts"
import { keyFileOf } from "./password.ts"

const plain = (text: string): string => text

export const releaseKey = command({
  summary: "Make the key that signs releases",
  details: [
    "Makes an Ed25519 key in the format of minisign: FILE.key under a password of its own, and FILE.pub, which you publish. minisign reads both.",
    "Keep the key on a machine that builds nothing; `cosigner release-sign` needs only SHA256SUMS.",
  ].join("\n"),
  options: { out: valueOr("--out <file>", "where the secret key goes", "release.key", plain) },
  examples: [
    ["cosigner release-key --out release.key", "asks for a password twice; writes release.key and release.pub"],
  ],
  run: async ({ globals, options, out, passwords }) => {
    using password = await passwords.fresh(keyFileOf(globals))
    const made = createReleaseKey(options.out, password)
    out.result(made, [
      `Wrote ${made.secret_key_file}: keep it and its password apart`,
      `Wrote ${made.public_key_file}`,
      `Public key ${made.key_id}: ${made.public_key}`,
    ])
    return EXIT.ok
  },
})

export const releaseSign = command({
  summary: "Sign the SHA256SUMS of a release",
  details: "Writes FILE.minisig beside it. The comment is signed too: say in it which release this is.",
  args: { file: optional("file", "what to sign (default: SHA256SUMS)") },
  options: {
    key: valueOr("--key <file>", "the secret key", "release.key", plain),
    comment: value("--comment <text>", "signed with the file (default: the time and the file's name)"),
  },
  examples: [
    [
      "cosigner release-sign dist/release/SHA256SUMS --key release.key --comment 'cosigner v0.1.0'",
      "writes dist/release/SHA256SUMS.minisig",
    ],
  ],
  run: async ({ args, globals, options, out, passwords }) => {
    const { file = "SHA256SUMS" } = args
    const comment = options.comment ?? `timestamp:${Math.floor(Date.now() / 1000)}\tfile:${basename(file)}\thashed`
    using password = await passwords.existing(keyFileOf(globals), `Enter password of ${options.key}: `)
    const signed = signRelease(file, options.key, password, comment)
    out.result(signed, [`Wrote ${signed.signature_file}, by key ${signed.key_id}`])
    return EXIT.ok
  },
})

export const releaseVerify = command({
  summary: "Say whether a release is what its key signed",
  details: [
    "Verifies FILE.minisig. For a SHA256SUMS it also verifies every file that the list names and that is in the same folder. Exit code 5 unless all is as signed.",
    "`minisign -V -p release.pub -m SHA256SUMS` and `sha256sum --check SHA256SUMS` say the same without this program.",
  ].join("\n"),
  args: { file: optional("file", "what was signed (default: SHA256SUMS)") },
  options: { key: value("--key <key>", "the public key: its line, or a file with it") },
  examples: [
    [
      "cosigner release-verify SHA256SUMS --key RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
      "with the archives in the same folder",
    ],
  ],
  run: async ({ args, options, out }) => {
    const { file = "SHA256SUMS" } = args
    const key = releasePublicKey(options.key ?? refuse("--key", "the public key of the release", "nothing"))
    const verified = verifyRelease(file, dirname(file), key)
    out.result(verified, [
      `${file} is as key ${verified.key_id} signed it`,
      `Comment: ${verified.trusted_comment}`,
      ...verified.as_signed.map((name) => `as signed  ${name}`),
      ...verified.absent.map((name) => `not here   ${name}`),
    ])
    return EXIT.ok
  },
})
