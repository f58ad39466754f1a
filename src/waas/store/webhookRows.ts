/** Webhook endpoints, events and deliveries in waas.db. */
import type { Database } from "bun:sqlite"
import type { WebhookEndpoint, WebhookEvent, WebhookLog } from "./model.ts"
import { all, type RowReaders, upsert } from "./rows.ts"
import type { WebhookStore, WebhookWrite } from "./store.ts"

export function webhooksOver(db: Database, { rowOf, rowsOf, page, guarded }: RowReaders): WebhookStore {
  return {
    webhookEndpoint: async (id) => rowOf<WebhookEndpoint>("SELECT body FROM webhook_endpoints WHERE id = ?", id),
    async webhookEndpoints({ status, type }, query) {
      const told = "EXISTS (SELECT 1 FROM json_each(body, '$.eventTypes') WHERE value = ?)"
      return page<WebhookEndpoint>("webhook_endpoints", all(["status = ?", status], [told, type]), query)
    },
    activeWebhookEndpoints: async () =>
      rowsOf<WebhookEndpoint>("SELECT body FROM webhook_endpoints WHERE status = 'STATUS_ACTIVE' ORDER BY seq"),
    webhookEvent: async (id) => rowOf<WebhookEvent>("SELECT body FROM webhook_events WHERE id = ?", id),
    async webhookEvents({ endpointId, status, type }, query) {
      const filter = all(["endpoint_id = ?", endpointId], ["status = ?", status], ["type = ?", type])
      return page<WebhookEvent>("webhook_events", filter, query)
    },
    webhookLogs: async ({ eventId }, query) => page<WebhookLog>("webhook_logs", all(["event_id = ?", eventId]), query),
    async dueWebhookEvents(endpointId, nowMs, limit) {
      const sql = `SELECT body FROM webhook_events AS event
        WHERE status = 'Retrying' AND endpoint_id = ? AND due_ms <= ? AND NOT EXISTS
          (SELECT 1 FROM webhook_events AS earlier WHERE earlier.status = 'Retrying'
            AND earlier.endpoint_id = event.endpoint_id AND earlier.object_id = event.object_id AND earlier.seq < event.seq)
        ORDER BY due_ms LIMIT ?`
      return rowsOf<WebhookEvent>(sql, endpointId, nowMs, limit)
    },
    async forgetWebhookEvents(beforeMs) {
      guarded(() => db.run("DELETE FROM webhook_events WHERE created_ms < ?", [beforeMs]))
    },
  }
}

export function putWebhook(db: Database, write: WebhookWrite): void {
  switch (write.put) {
    case "webhookEndpoint":
      upsert(db, "webhook_endpoints", write.record.endpointId, { status: write.record.status }, write.record)
      return
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
      upsert(db, "webhook_events", eventId, columns, write.record)
      return
    }
    case "webhookLog":
      upsert(db, "webhook_logs", write.record.logId, { event_id: write.record.eventId }, write.record)
      return
  }
}
