/** Webhook endpoints, events and deliveries as rows. */

import { all, pageOf, rowOf, rowsOf, upsert } from "./rows.ts"
import type { Filter, SqlDatabase, SqlStatement, SqlValue } from "./sql.ts"
import type { PageQuery, WebhookStore, WebhookWrite } from "./store.ts"
import type { WebhookEndpoint, WebhookEvent, WebhookLog } from "./webhookModel.ts"

export function webhooksOver(db: SqlDatabase): WebhookStore {
  const one = <T>(sql: string, ...values: SqlValue[]) => rowOf<T>(db, sql, ...values)
  const page = <T>(table: string, filter: Filter, query: PageQuery) => pageOf<T>(db, table, filter, query)
  return {
    webhookEndpoint: (id) => one<WebhookEndpoint>("SELECT body FROM webhook_endpoints WHERE id = ?", id),
    webhookEndpoints({ status, type }, query) {
      const told = `EXISTS (SELECT 1 FROM ${db.json.texts("body", "eventTypes", "named")} WHERE named.value = ?)`
      return page<WebhookEndpoint>("webhook_endpoints", all(["status = ?", status], [told, type]), query)
    },
    activeWebhookEndpoints: () =>
      rowsOf<WebhookEndpoint>(db, "SELECT body FROM webhook_endpoints WHERE status = 'STATUS_ACTIVE' ORDER BY seq"),
    webhookEvent: (id) => one<WebhookEvent>("SELECT body FROM webhook_events WHERE id = ?", id),
    webhookEvents({ endpointId, status, type }, query) {
      const filter = all(["endpoint_id = ?", endpointId], ["status = ?", status], ["type = ?", type])
      return page<WebhookEvent>("webhook_events", filter, query)
    },
    webhookLogs: ({ eventId }, query) => page<WebhookLog>("webhook_logs", all(["event_id = ?", eventId]), query),
    dueWebhookEvents(endpointId, nowMs, limit) {
      const sql = `SELECT body FROM webhook_events AS event
        WHERE status = 'Retrying' AND endpoint_id = ? AND due_ms <= ? AND NOT EXISTS
          (SELECT 1 FROM webhook_events AS earlier WHERE earlier.status = 'Retrying'
            AND earlier.endpoint_id = event.endpoint_id AND earlier.object_id = event.object_id AND earlier.seq < event.seq)
        ORDER BY due_ms LIMIT ?`
      return rowsOf<WebhookEvent>(db, sql, endpointId, nowMs, limit)
    },
    async forgetWebhookEvents(beforeMs) {
      await db.write([{ sql: "DELETE FROM webhook_events WHERE created_ms < ?", values: [beforeMs] }])
    },
  }
}

export function putWebhook(write: WebhookWrite): SqlStatement {
  switch (write.put) {
    case "webhookEndpoint":
      return upsert("webhook_endpoints", write.record.endpointId, { status: write.record.status }, write.record)
    case "webhookEvent": {
      const { eventId, endpointId, objectId, type, status, dueMs, createdMs } = write.record
      const columns = {
        endpoint_id: endpointId,
        object_id: objectId,
        type,
        status,
        due_ms: dueMs,
        created_ms: createdMs,
      }
      return upsert("webhook_events", eventId, columns, write.record)
    }
    case "webhookLog":
      return upsert("webhook_logs", write.record.logId, { event_id: write.record.eventId }, write.record)
  }
}
