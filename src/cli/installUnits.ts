/**
 * `cosigner install-service`: writes the systemd units that are embedded in the binary, or prints them. It only writes files.
 * systemd's own tools make users, folders and credentials and start the service; the command prints these steps.
 */
import { existsSync, mkdirSync, readFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import nodeService from "../../systemd/cosigner.service" with { type: "text" }
import backupService from "../../systemd/cosigner-backup.service" with { type: "text" }
import backupTimer from "../../systemd/cosigner-backup.timer" with { type: "text" }
import waasService from "../../systemd/cosigner-waas.service" with { type: "text" }
import nodeUser from "../../systemd/sysusers.d/cosigner.conf" with { type: "text" }
import waasUser from "../../systemd/sysusers.d/cosigner-waas.conf" with { type: "text" }
import nodeFolders from "../../systemd/tmpfiles.d/cosigner.conf" with { type: "text" }
import userService from "../../systemd/user/cosigner.service" with { type: "text" }
import { build } from "../build.ts"
import { EXIT } from "../errors/entry.ts"
import { CosignerError, errorText } from "../errors.ts"
import { errnoOf, replaceFile } from "../files.ts"
import { command, flag, refuse, value, valueOr } from "./command.ts"

interface UnitFile {
  /** Its absolute path, below the root that --dir names. */
  readonly path: string
  readonly text: string
}

/** The path of the binary in the units of the repository. */
const USUAL = "/usr/local/bin/cosigner"

export const installService = command({
  summary: "Install the systemd units of a node, or print them",
  details: [
    "Writes unit, user (sysusers.d), folders (tmpfiles.d) and the backup timer, and prints the steps that come next. A file",
    "that exists and differs is left alone (E-OPS-010) unless --force is given. Your own settings belong in a drop-in,",
    "`systemctl edit cosigner`. With --user it writes a unit for one user's own service manager.",
  ].join("\n"),
  options: {
    waas: flag("--waas", "the units of the coordinator instead of the node's"),
    user: flag("--user", "a node as a service of this user, in ~/.cosigner"),
    print: flag("--print", "print the files and write nothing"),
    dir: valueOr("--dir <root>", "install below this folder, as for an image", "/", (text) => text),
    binary: value(
      "--binary <path>",
      "where the program is when the service starts (default: where it is now)",
      absolute,
    ),
    force: flag("--force", "replace files that differ"),
  },
  examples: [
    ["cosigner install-service", "as root: the node's units"],
    ["cosigner install-service --print | less", "read them first"],
    ["cosigner install-service --waas --dir image/", "the coordinator's, into an image"],
  ],
  run: async ({ options, out }) => {
    if (options.user && options.waas) refuse("--user", "given without --waas", "both")
    const binary = options.binary ?? (build.mode === "compiled" ? absolute(process.execPath) : USUAL)
    if (!options.user) requireVisible(binary)
    const files = filesFor(options).map(({ path, text }) => ({ path, text: text.replaceAll(USUAL, binary) }))
    const steps = stepsFor(options, binary)
    if (options.print) {
      out.result(
        files,
        files.flatMap(({ path, text }) => [`# ==> ${path}`, ...text.trimEnd().split("\n"), ""]),
      )
      for (const step of steps) out.note(step)
      return EXIT.ok
    }
    const targets = files.map(({ path, text }) => ({ path: join(options.dir, path), text }))
    // Installs all units or none: half a set of units is worse than an error.
    for (const target of targets) if (!options.force) requireUntouched(target)
    for (const target of targets) write(target)
    out.result({ written: targets.map(({ path }) => path), next: steps }, [
      ...targets.map(({ path }) => `Wrote ${path}`),
      "Next:",
      ...steps.map((step) => `  ${step}`),
    ])
    return EXIT.ok
  },
})

interface Which {
  readonly waas: boolean
  readonly user: boolean
}

function filesFor({ waas, user }: Which): readonly UnitFile[] {
  if (user) return [{ path: join(homedir(), ".config/systemd/user/cosigner.service"), text: userService }]
  if (waas) {
    return [
      { path: "/etc/systemd/system/cosigner-waas.service", text: waasService },
      { path: "/etc/sysusers.d/cosigner-waas.conf", text: waasUser },
    ]
  }
  return [
    { path: "/etc/systemd/system/cosigner.service", text: nodeService },
    { path: "/etc/systemd/system/cosigner-backup.service", text: backupService },
    { path: "/etc/systemd/system/cosigner-backup.timer", text: backupTimer },
    { path: "/etc/sysusers.d/cosigner.conf", text: nodeUser },
    { path: "/etc/tmpfiles.d/cosigner.conf", text: nodeFolders },
  ]
}

function stepsFor({ waas, user }: Which, binary: string): readonly string[] {
  if (user) {
    return [
      `mkdir -p ~/.cosigner && cd ~/.cosigner && ${binary} init --key-file .password`,
      `${binary} config init && ${binary} doctor --key-file .password`,
      "systemctl --user daemon-reload && systemctl --user enable --now cosigner && loginctl enable-linger",
    ]
  }
  if (waas) {
    return [
      "systemd-sysusers && systemctl daemon-reload",
      `systemd-run --pipe --wait -p User=cosigner-waas -p StateDirectory=cosigner-waas ${binary} waas init --dir /var/lib/cosigner-waas`,
      "systemctl enable --now cosigner-waas",
    ]
  }
  const credential = "cosigner-password:/etc/cosigner/cosigner-password.cred"
  const asNode = `systemd-run --pipe --wait -p User=cosigner -p WorkingDirectory=/var/lib/cosigner -p LoadCredentialEncrypted=${credential}`
  const config = "--config /etc/cosigner/cosigner.toml"
  return [
    "systemd-sysusers && systemd-tmpfiles --create",
    'systemd-ask-password -n "New password of the node, which you also keep elsewhere:" | systemd-creds encrypt --name=cosigner-password - /etc/cosigner/cosigner-password.cred',
    `${binary} config init ${config}   # then set [websocket] url and waas_public_key, and the rules`,
    `systemd-tmpfiles --create && ${asNode} ${binary} init ${config}`,
    `${asNode} ${binary} doctor ${config}`,
    "systemctl daemon-reload && systemctl enable --now cosigner",
  ]
}

/** Accepts only what systemd reads as a plain path. */
function absolute(path: string): string {
  return /^\/[\w.+/-]+$/.test(path) ? path : refuse("--binary", "an absolute path of letters, digits and ._+/-", path)
}

/** Refuses folders that the sandbox hides from the service. */
function requireVisible(binary: string): void {
  const hidden = ["/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"].find((folder) => binary.startsWith(folder))
  if (hidden !== undefined) throw new CosignerError("E-OPS-011", { binary, hidden })
}

function requireUntouched({ path, text }: UnitFile): void {
  if (existsSync(path) && readFileSync(path, "utf8") !== text) throw new CosignerError("E-OPS-010", { path })
}

function write({ path, text }: UnitFile): void {
  // Units hold no secret, and every tool of the system must be able to read them.
  const own = process.umask(0o022)
  try {
    mkdirSync(dirname(path), { recursive: true })
    replaceFile(path, text, 0o644)
  } catch (cause) {
    const why = errnoOf(cause) ?? errorText(cause)
    throw new CosignerError("E-CLI-009", { path, why }, { cause })
  } finally {
    process.umask(own)
  }
}
