/** `cosigner policy check`: lint for rules that parse. Rules that do not parse are an error of the configuration. */
import { EXIT } from "../errors/entry.ts"
import { lintPolicy } from "../policy/lint.ts"
import { command } from "./command.ts"

export const check = command({
  summary: "Check the rules for parts that contradict each other or do nothing",
  details: "Exits 2 on an error: a part that rejects everything by accident. Warnings name parts without effect.",
  examples: [["cosigner policy check -c draft.toml", "a draft, before a running node reads it"]],
  run: async ({ config, out }) => {
    const checked = await config()
    const { embedded_risk_control_rules: rules, source } = checked
    const findings = lintPolicy(checked)
    const errors = findings.filter(({ severity }) => severity === "error").length
    out.result({ file: source ?? null, enabled: rules.enable, findings }, [
      ...findings.map(({ severity, where, what }) => `${severity.padEnd(7)}  ${where}: ${what}`),
      `${source ?? "the defaults"}: ${errors} errors, ${findings.length - errors} warnings`,
    ])
    return errors === 0 ? EXIT.ok : EXIT.config
  },
})
