/** The event types of webhooks: those of the published ones that happen at WaaS, and two of our own for approvals (formats.md 7.5). */
export const EVENT_TYPES = [
  { type: "wallets.mpc.tss_request.created", description: "A TSS request was made." },
  { type: "wallets.mpc.tss_request.updated", description: "A TSS request has another status, and has not ended." },
  { type: "wallets.mpc.tss_request.failed", description: "A TSS request failed, or was cancelled." },
  { type: "wallets.mpc.tss_request.succeeded", description: "A TSS request succeeded." },
  { type: "wallets.mpc.approval.awaited", description: "Nodes wait for signed statements of people about a task." },
  {
    type: "wallets.mpc.approval.received",
    description: "A person's signed statement about a task arrived; its nodes get it.",
  },
  { type: "mpc_vaults.created", description: "A vault was made." },
  { type: "mpc_vaults.updated", description: "A vault was renamed, or has its root keys now." },
  { type: "wallets.created", description: "A wallet was made." },
  { type: "wallets.updated", description: "A wallet was renamed or deleted." },
  { type: "wallets.addresses.created", description: "Addresses of a wallet were made." },
  { type: "wallets.transaction.created", description: "A transaction was made." },
  { type: "wallets.transaction.updated", description: "A transaction has another status, and has not ended." },
  { type: "wallets.transaction.failed", description: "A transaction failed, was refused or cancelled." },
  { type: "wallets.transaction.succeeded", description: "A transaction was completed." },
] as const

export type WebhookEventType = (typeof EVENT_TYPES)[number]["type"]
