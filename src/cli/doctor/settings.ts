/** The configuration: whether a node may start with it, and lint findings about its rules. */
import type { Config } from "../../config/config.ts"
import { checkStart } from "../../config/startup.ts"
import { CosignerError } from "../../errors.ts"
import { lintPolicy } from "../../policy/lint.ts"
import { type Finding, failure, ok, skipped, warning } from "./finding.ts"

export function checkSettings(config: Config): readonly Finding[] {
  const { problems, warnings } = checkStart(config)
  const source = config.source ?? "the defaults (no file)"
  return [
    ...(problems.length === 0
      ? [ok("config.start", `${source}: a node may start with it (${config.env})`)]
      : problems.map((problem) => failure("config.start", problem))),
    ...warnings.map((problem) => warning("config.start", problem)),
    ...dangers(config),
    ...checkRules(config),
  ]
}

function* dangers(config: Config): Generator<Finding> {
  for (const key of ["danger_allow_unguarded_signing", "danger_allow_unhardened_process"] as const) {
    if (config[key]) yield warning("config.danger", new CosignerError("E-OPS-117", { key }))
  }
}

function checkRules(config: Config): readonly Finding[] {
  const { embedded_risk_control_rules: rules } = config
  const findings = lintPolicy(config)
  if (findings.length === 0)
    return [
      rules.enable ? ok("config.rules", "no contradictions") : skipped("config.rules", "the embedded rules are off"),
    ]
  return findings.map(({ severity, where, what }) => {
    const error = new CosignerError("E-OPS-116", { where, what })
    return severity === "error" ? failure("config.rules", error) : warning("config.rules", error)
  })
}
