/** Requests with a good token and a damaged body. Each would be approved if the body were whole. */
import { approves, type Body } from "../client.ts"
import { approvedBody, ask, type Case, type Severity } from "../kit.ts"

export const bodyCases: readonly Case[] = [
  broken("body-without-type", "critical", "no request_type", ({ request_type: _, ...rest }) => rest),
  broken("body-without-id", "critical", "no request_id", ({ request_id: _, ...rest }) => rest),
  broken("body-without-detail", "critical", "no request_detail", ({ request_detail: _, ...rest }) => rest),
  broken("body-without-extra", "major", "no extra_info", ({ extra_info: _, ...rest }) => rest),
  broken("body-empty-id", "major", "an empty request_id", (body) => ({ ...body, request_id: "" })),
  broken("body-empty-detail", "critical", "an empty request_detail", (body) => ({ ...body, request_detail: "" })),
  broken("body-detail-object", "minor", "request_detail as an object", (body) => ({
    ...body,
    request_detail: JSON.parse(String(body.request_detail)),
  })),
  broken("body-detail-no-json", "critical", "request_detail that is no JSON", (body) => ({
    ...body,
    request_detail: `${body.request_detail}}`,
  })),
  broken("body-type-text", "minor", "request_type as a text", (body) => ({
    ...body,
    request_type: String(body.request_type),
  })),
  broken("body-type-fraction", "critical", "request_type 2.5", (body) => ({ ...body, request_type: 2.5 })),
  broken("body-type-4", "critical", "request_type 4, which is not assigned", (body) => ({ ...body, request_type: 4 })),
  broken("body-type-unknown", "critical", "an unknown request_type", (body) => ({ ...body, request_type: 99 })),
  {
    id: "body-no-json",
    severity: "critical",
    title: "refuses a body that is no JSON",
    needs: "nothing",
    run: async (kit) => (approves(await ask(kit, "body-no-json", "{")) ? "it approved" : undefined),
  },
  {
    id: "body-absent",
    severity: "critical",
    title: "refuses a token without a body",
    needs: "nothing",
    run: async (kit) =>
      approves(await ask(kit, "body-absent", "", { claims: { package_data: undefined } })) ? "it approved" : undefined,
  },
]

function broken(id: string, severity: Severity, what: string, breakIt: (body: Body) => Body): Case {
  return {
    id,
    severity,
    title: `refuses ${what}`,
    needs: "approval",
    run: async (kit) => (approves(await ask(kit, id, breakIt(approvedBody(kit)))) ? "it approved" : undefined),
  }
}
