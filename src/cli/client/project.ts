/** `cosigner client project create|list|show|rename`: a project fixes participants and threshold of the main groups of its vaults. */
import { EXIT } from "../../errors/entry.ts"
import type { ProjectObject } from "../../waas/client.ts"
import { command, integer, refuse, required, value } from "../command.ts"
import { connect, profileOption } from "./profile.ts"
import { limitOption, walk } from "./vault.ts"

const line = ({ project_id, name, threshold, participants }: ProjectObject): string =>
  `${project_id}  ${name}  ${threshold} of ${participants}`

/** WaaS accepts no smaller and no larger groups. */
const count = integer(2, 32)

export const create = command({
  summary: "Make a project: main groups of its vaults have so many nodes and this threshold",
  args: { name: required("name", "for people") },
  options: {
    profile: profileOption,
    threshold: value("--threshold <t>", "how many nodes sign", count),
    participants: value("--participants <n>", "how many nodes hold a share", count),
  },
  examples: [
    [
      "cosigner client project create payments --threshold 2 --participants 3",
      "then: cosigner client vault create --project",
    ],
  ],
  run: async ({ args, options, out }) => {
    const { threshold, participants } = options
    if (threshold === undefined || participants === undefined)
      return refuse("a project", "--threshold and --participants", "not both of them")
    using connection = connect(options.profile)
    const project = await connection.client.createProject({ name: args.name, threshold, participants })
    out.result(project, [
      `Project: ${project.project_id}`,
      `Next: cosigner client vault create NAME --project ${project.project_id}`,
    ])
    return EXIT.ok
  },
})

export const list = command({
  summary: "List the projects",
  options: { profile: profileOption, limit: limitOption },
  run: async ({ options, out }) => {
    using connection = connect(options.profile)
    const { client } = connection
    const projects = await walk(options.limit, (query) => client.projects(query))
    out.result(
      projects,
      projects.length === 0 ? ["No projects; make one with: cosigner client project create"] : projects.map(line),
    )
    return EXIT.ok
  },
})

const projectArg = required("project-id", "as `client project list` shows it")

export const show = command({
  summary: "Show a project",
  args: { project: projectArg },
  options: { profile: profileOption },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const project = await connection.client.project(args.project)
    out.result(project, [line(project)])
    return EXIT.ok
  },
})

export const rename = command({
  summary: "Give a project another name",
  args: { project: projectArg, name: required("name", "for people") },
  options: { profile: profileOption },
  run: async ({ args, options, out }) => {
    using connection = connect(options.profile)
    const project = await connection.client.renameProject(args.project, args.name)
    out.result(project, [line(project)])
    return EXIT.ok
  },
})
