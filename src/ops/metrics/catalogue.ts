/**
 * Every metric of a node, once: name, type, unit, labels, meaning. Prometheus and InfluxDB, `cosigner metrics list`, the
 * dashboard and the reference are all made from this list. Names follow the conventions of Prometheus: base units, and _total
 * after counters.
 */
import { type Counter, createRegistry, type Gauge, type Histogram, type Registry } from "./registry.ts"

const counter = <const L extends string = never>(help: string, labels: readonly L[] = [], unit = ""): Counter<L> => ({
  type: "counter",
  unit,
  help,
  labels,
})

const gauge = <const L extends string = never>(help: string, unit = "", labels: readonly L[] = []): Gauge<L> => ({
  type: "gauge",
  unit,
  help,
  labels,
})

const seconds = <const L extends string = never>(
  help: string,
  buckets: readonly number[],
  labels: readonly L[] = [],
): Histogram<L> => ({ type: "histogram", unit: "seconds", help, labels, buckets })

/** From a quick signature to a key generation on a small machine. */
const SESSION_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120]
/** The upper end allows for a person at a callback server. */
const TASK_SECONDS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600]
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const COMMIT_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5]

export const CATALOGUE = {
  cosigner_build_info: gauge("Always 1; the labels say what runs.", "", ["version", "commit", "mode"]),
  cosigner_start_time_seconds: gauge("When this process started, seconds since 1970.", "seconds"),
  cosigner_ready: gauge("1 when every item of readiness is ok."),
  cosigner_ready_item: gauge("1 when this item of readiness is ok.", "", ["item"]),
  cosigner_alarms_total: counter("Times that an item of readiness failed and reached the log.", ["item"]),

  cosigner_tasks_total: counter("Tasks that ended here: completed, rejected, failed or cancelled, and by which code.", [
    "type",
    "outcome",
    "code",
  ]),
  cosigner_tasks_unrecorded_total: counter(
    "Tasks that were refused without a record in the journal: too many at a time, or beyond what it takes in of refused ones (E-TSK-033).",
    ["type", "code"],
  ),
  cosigner_task_duration_seconds: seconds("From the claim of a task to its end.", TASK_SECONDS, ["type", "outcome"]),
  cosigner_tasks_open: gauge("Tasks in progress."),
  cosigner_signatures_total: counter("Signatures made, by algorithm: 1 ECDSA, 2 EdDSA, 3 BIP-340.", ["signature_type"]),
  cosigner_sessions_open: gauge("Sessions in progress."),
  cosigner_session_duration_seconds: seconds(
    "One attempt of a protocol from its start to its ending. Rounds pass inside a session worker and are not told apart.",
    SESSION_SECONDS,
    ["protocol", "ending"],
  ),

  cosigner_verdicts_total: counter("Decisions of risk control, and the code of the refusals.", ["action", "code"]),
  cosigner_rules_total: counter("What each rule and each callback server said in those decisions.", [
    "rule",
    "outcome",
  ]),
  cosigner_callback_duration_seconds: seconds("One try at a callback server.", REQUEST_SECONDS, ["server", "outcome"]),
  cosigner_callback_clock_offset_seconds: gauge("Clock of a callback server minus ours, as last seen.", "seconds", [
    "server",
  ]),
  cosigner_event_duration_seconds: seconds("One try at an event server.", REQUEST_SECONDS, ["server", "outcome"]),
  cosigner_events_waiting: gauge("Events that a server is still to get, or that were given up.", "", [
    "server",
    "state",
  ]),

  cosigner_link_up: gauge("1 while the link to WaaS is up."),
  cosigner_link_rtt_seconds: gauge("Round trip to WaaS, as last measured.", "seconds"),
  cosigner_link_failures: gauge("Connections that failed or ended since the last good one."),
  cosigner_link_dropped_frames_total: counter("Frames that came or went no further.", ["reason"]),
  cosigner_link_queued_frames: gauge("Frames that WaaS has not acknowledged."),
  cosigner_replica_up: gauge("1 while the link to this replica of WaaS is up.", "", ["url"]),
  cosigner_replica_rtt_seconds: gauge("Round trip to it, as last measured.", "seconds", ["url"]),
  cosigner_replica_failures: gauge("Connections to it that failed since the last good one.", "", ["url"]),
  cosigner_replica_queued_frames: gauge("Frames that it has not acknowledged.", "", ["url"]),
  cosigner_clock_offset_seconds: gauge("Clock of WaaS minus ours; exact to half a round trip.", "seconds"),

  cosigner_store_commit_seconds: seconds("One transaction of the store: done or undone.", COMMIT_SECONDS, ["outcome"]),
  cosigner_store_bytes: gauge("Length of secrets.db.", "bytes"),
  cosigner_store_commits_total: counter("Commits since the file was made."),
  cosigner_store_records_opened_total: counter("Records that were read and decrypted since the start."),
  cosigner_backup_age_seconds: gauge("Since the last backup; absent when none is known.", "seconds"),
  cosigner_proof_age_seconds: gauge("Since the last signature or check-up; absent when there was none.", "seconds"),
  cosigner_groups: gauge("Epochs of groups, by curve and status.", "", ["curve", "status"]),
  cosigner_groups_signing: gauge(
    "ACTIVE epochs, by each algorithm of their key and by the code that keeps it from signing: empty where it can sign.",
    "",
    ["algorithm", "code"],
  ),
  cosigner_groups_refresh_due: gauge(
    "ACTIVE epochs that are to be refreshed before long, or ECDSA with a member will end: crashes hid verdicts of checks.",
  ),
  cosigner_frozen: gauge("1 while the whole node is frozen, by scope node; how many groups are, by scope group.", "", [
    "scope",
  ]),
  cosigner_bans: gauge("Bans of peers."),
  cosigner_log_leaves_total: counter("Leaves of the log for auditors."),
  cosigner_log_unseen_leaves: gauge("Leaves of the log that no witness has seen."),
  cosigner_log_cosigned_age_seconds: gauge(
    "Since a witness cosigned the log; absent before the first time.",
    "seconds",
  ),

  cosigner_workers: gauge("Session workers alive."),
  cosigner_worker_deaths_total: counter("Session workers that died."),
  cosigner_worker_ping_seconds: gauge("How long the slowest session worker took to answer.", "seconds"),
  cosigner_event_loop_delay_seconds: gauge("Delay of the main thread over the last interval.", "seconds", ["stat"]),
  cosigner_resident_memory_bytes: gauge("Memory of this process.", "bytes"),
  cosigner_open_files: gauge("File descriptors of this process; absent where the system does not tell."),
  cosigner_influx_skipped_total: counter("Rounds of points that InfluxDB did not take."),
} as const

export type Metrics = Registry<typeof CATALOGUE>
export const createMetrics = (): Metrics => createRegistry(CATALOGUE)
