/**
 * Every domain-separation tag of protocol TSSN/1 (threshold.md 1.7), in one place so that uniqueness can be tested.
 * A tag never changes its meaning; a new use gets a new tag.
 */
export const TAGS = [
  "x",
  "sid",
  "msg",
  "view",
  "com",
  "pok",
  "epoch",
  "pair",
  "kc",
  "cc",
  "zseed",
  "zero",
  "ot/sid",
  "ot/key",
  "pprf/sid",
  "pprf/node",
  "pprf/leafchk",
  "pprf/dig",
  "ote/1",
  "ote/u",
  "ote/chi",
  "ote/2",
  "rvole/g",
  "rvole/theta0",
  "rvole/theta",
  "rvole/mu",
  "dkg/payload",
  "sign/payload",
  "reshare/payload",
  "checkup",
  "trial/sid",
  "trial/msg",
  "import",
  "import/record",
  "import/destroyed",
  // Messages between a node and its WaaS. They are outside the threshold protocols, but use the same framing.
  "waas/task",
  "waas/start",
  "waas/token",
  "waas/cancel",
  "link/hello",
  // A node's statements about itself outside its database.
  "summary",
  "address",
  // The log for auditors (audit.md 3).
  "audit/witness",
  "audit/peer",
  // The reading of a payload (intents.md 6.1).
  "intent",
  "intent/effect",
  "intent/task",
] as const

export type Tag = (typeof TAGS)[number]

/** The RFC 9380 domain separation tag of the base OT's hash to P-256 (threshold.md 4.1); contains the tag `ot/h2c`. */
export const OT_HASH_TO_CURVE_DST = "TSSN1-ot/h2c-P256_XMD:SHA-256_SSWU_RO_"
