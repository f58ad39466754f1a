/** `cosigner approvals-page`: the passkey page, served from a host of the customer's own, until a signal ends it. */
import { EXIT } from "../../errors/entry.ts"
import { CosignerError } from "../../errors.ts"
import { readPrivate, UnusableFile } from "../../files.ts"
import { servePage } from "../../kit/approvalsPage/server.ts"
import { readApprovers } from "../../kit/approving/approvers.ts"
import { command, refuse, value } from "../command.ts"
import { bytesOfFile } from "../payloads.ts"
import { serverOutput } from "../serverOutput.ts"
import { openDesk } from "./desk.ts"
import { deskOptions } from "./options.ts"

interface ListenAt {
  readonly hostname: string
  readonly port: number
}

const DEFAULT_LISTEN = { hostname: "127.0.0.1", port: 11060 }
const MAX_PEM = 64 * 1024

export const approvalsPage = command({
  summary: "Serve a page on which people approve with passkeys; never where WaaS runs",
  details: [
    "The page reads each task itself, as `cosigner approve` does, and forwards only what verifies under a passkey of its approvers file. The host that serves the page decides what people",
    "see on it, so run it on a host of your own, which the people who run WaaS cannot change. Browsers offer passkeys only over https and on localhost. So a page for other machines needs",
    "--tls-cert and --tls-key, or a proxy that ends TLS in front of a loopback address; --origin is the address that people type. The page shows a new passkey's entry for the nodes' configuration,",
    "and the command prints it. The profile pins WaaS's response key.",
  ].join("\n"),
  options: {
    ...deskOptions,
    listen: value(
      "--listen <host:port>",
      "where it listens (default 127.0.0.1:11060); port 0 takes a free one",
      hostAndPort,
    ),
    origin: value("--origin <url>", "as browsers see it (default http://localhost:PORT)", originOf),
    tlsCert: value("--tls-cert <file>", "certificate chain, PEM"),
    tlsKey: value("--tls-key <file>", "its private key, PEM, mode 600"),
  },
  examples: [
    ["cosigner approvals-page --approvers approvers.toml", "for the browser of this machine"],
    [
      "cosigner approvals-page --approvers approvers.toml --listen 0.0.0.0:443 --origin https://approvals.example.com --tls-cert cert.pem --tls-key key.pem",
      "for a team",
    ],
  ],
  run: async (base) => {
    const { options, globals } = base
    using opened = await openDesk(base, options)
    const { desk } = opened
    const tls = tlsOf(options.tlsCert, options.tlsKey)
    const listen = options.listen ?? DEFAULT_LISTEN
    if (tls === undefined && !isLoopback(listen.hostname))
      refuse("--listen", "a loopback address, or --tls-cert and --tls-key", listen.hostname)
    if (tls !== undefined && options.origin === undefined)
      refuse("--origin", "what people type in their browsers", "none")
    const out = serverOutput(globals.json)
    const page = servePage(
      {
        desk,
        // Read again each time, so that a new passkey can sign as soon as its entry is in the file.
        approvers: () =>
          options.approvers === undefined ? [] : [...readApprovers(options.approvers).people.approvers.values()],
        now: Date.now,
        onEntry: (entry) =>
          void out.tell({ event: "passkey", entry }, `A new passkey; its entry for [[approvers]]:\n${entry}`),
      },
      { ...listen, tls, origin: options.origin },
    )
    out.tell({ event: "listening", url: page.origin, port: page.port }, `The page is ${page.origin}`)
    await new Promise<void>((resolve) => {
      process.once("SIGINT", () => resolve())
      process.once("SIGTERM", () => resolve())
    })
    await page.stop()
    out.end()
    return EXIT.ok
  },
})

const isLoopback = (hostname: string): boolean => /^(?:127\.\d+\.\d+\.\d+|localhost|::1)$/.test(hostname)

function hostAndPort(text: string): ListenAt {
  const [, hostname = "", port = ""] = /^([0-9A-Za-z.-]{1,253}|\[[0-9a-f:.]{2,45}\]):([0-9]{1,5})$/.exec(text) ?? []
  if (hostname === "" || Number(port) > 65_535) return refuse("--listen", "an address and a port", text)
  return { hostname: hostname.replaceAll(/[[\]]/g, ""), port: Number(port) }
}

function originOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const isSecure = url?.protocol === "https:" || (url?.protocol === "http:" && url.hostname === "localhost")
  if (url === undefined || !isSecure || url.origin !== text)
    return refuse("--origin", "https:// and a host (and its port unless it is 443), or http://localhost:PORT", text)
  return text
}

function tlsOf(cert: string | undefined, key: string | undefined) {
  if ((cert === undefined) !== (key === undefined)) refuse("--tls-cert", "given with --tls-key", cert ?? "none")
  if (cert === undefined || key === undefined) return undefined
  try {
    using secret = readPrivate(key, MAX_PEM)
    const text = Buffer.from(secret.expose()).toString("latin1")
    return { cert: Buffer.from(bytesOfFile("--tls-cert", cert)).toString("latin1"), key: text }
  } catch (error) {
    if (!(error instanceof UnusableFile)) throw error
    throw new CosignerError("E-CLI-051", { file: key, problem: error.message }, { cause: error })
  }
}
