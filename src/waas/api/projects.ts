/** The calls about projects. A project fixes participants and threshold of the main groups of its vaults. */
import { Type } from "@sinclair/typebox"
import { ApiFailure, notFound } from "../failure.ts"
import { newUuid } from "../ids.ts"
import { mpcProject } from "../shapes.ts"
import type { HolderGroup, Project } from "../store/model.ts"
import type { ApiContext } from "./context.ts"
import { pageFields, pageOf, pageQuery } from "./page.ts"
import { closed, param, type Route, route, Words } from "./route.ts"

const PROJECTS = "/v2/wallets/mpc/projects"
const Count = Type.Integer({ minimum: 2, maximum: 32 })
const Name = Words(1, 64)

export const projectRoutes = (api: ApiContext): readonly Route[] => [
  route({
    method: "GET",
    path: PROJECTS,
    summary: "The projects, newest first",
    query: closed(pageFields),
    handle: async ({ query }) => {
      const { orgId } = await api.store.organisation()
      return pageOf(await api.store.projects(pageQuery(query)), (project) => mpcProject(project, orgId))
    },
  }),
  route({
    method: "POST",
    path: PROJECTS,
    summary: "Make a project: main groups of its vaults have these participants and this threshold",
    body: closed({ name: Name, participants: Count, threshold: Count }),
    handle: async ({ body }) => {
      if (body.threshold > body.participants)
        throw new ApiFailure(2006, "body.threshold is more than body.participants")
      const project: Project = { projectId: newUuid(), ...body, createdMs: api.now() }
      await api.store.commit([{ put: "project", record: project }])
      return shape(api, project)
    },
  }),
  route({
    method: "GET",
    path: `${PROJECTS}/:project_id`,
    summary: "One project",
    handle: async ({ params }) => shape(api, await projectOf(api, param(params, "project_id"))),
  }),
  route({
    method: "PUT",
    path: `${PROJECTS}/:project_id`,
    summary: "Rename a project",
    body: closed({ name: Name }),
    handle: async ({ params, body }) => {
      const renamed: Project = { ...(await projectOf(api, param(params, "project_id"))), name: body.name }
      await api.store.commit([{ put: "project", record: renamed }])
      return shape(api, renamed)
    },
  }),
]

/** The project. Throws 2028 if there is none. */
export async function projectOf(api: ApiContext, projectId: string): Promise<Project> {
  const project = await api.store.project(projectId)
  if (project === undefined) throw notFound("project", projectId)
  return project
}

/** Throws 2006 for a main group with other participants or another threshold than the project. */
export function requireProjectScheme(project: Project, group: HolderGroup): void {
  const { participants, threshold } = project
  if (group.type !== "MainGroup" || (group.holders.length === participants && group.threshold === threshold)) return
  throw new ApiFailure(
    2006,
    `the project ${project.projectId} wants ${threshold} of ${participants} for its main groups`,
  )
}

const shape = async (api: ApiContext, project: Project): Promise<object> =>
  mpcProject(project, (await api.store.organisation()).orgId)
