//! The agent itself.

use crate::export::text::{Family, Kind};

pub(crate) const BUILD: Family = Family::info("berth_build", "The agent that runs.");
pub(crate) const STARTED: Family = Family::gauge(
    "berth_agent_start_time_seconds",
    "seconds",
    "When the agent started, in seconds since 1970.",
);
pub(crate) const ATTACH_MODE: Family = Family::info(
    "berth_bpf_attach_mode",
    "The ways interfaces are counted now.",
);
pub(crate) const LINKS: Family = Family::gauge(
    "berth_bpf_links",
    "links",
    "Links of programs, by hook and state.",
);
pub(crate) const DUPLICATES_REMOVED: Family = Family::counter(
    "berth_bpf_duplicate_links_removed",
    "",
    "Links of ours that counted an interface once more and were removed; what they counted stays counted.",
);
pub(crate) const ATTACH_FAILURES: Family = Family::counter(
    "berth_bpf_attach_failures",
    "failures",
    "Programs that could not be attached.",
);
pub(crate) const MAP_ENTRIES: Family = Family::gauge(
    "berth_bpf_map_entries",
    "entries",
    "Entries of a map that are in use.",
);
pub(crate) const MAP_MAX_ENTRIES: Family = Family::gauge(
    "berth_bpf_map_max_entries",
    "entries",
    "Most entries that a map can have.",
);
pub(crate) const MAP_BYTES: Family = Family::gauge(
    "berth_bpf_map_bytes",
    "bytes",
    "Memory of the kernel that a map takes.",
);
pub(crate) const MAP_FAILURES: Family = Family::counter(
    "berth_bpf_map_update_failures",
    "failures",
    "Updates of a map that failed.",
);
pub(crate) const PROGRAM_RUNS: Family = Family::counter(
    "berth_bpf_program_runs",
    "runs",
    "Runs of a program while it was measured, a second of so many (--sample-programs); of all interfaces or pods together.",
);
pub(crate) const PROGRAM_SECONDS: Family = Family::counter(
    "berth_bpf_program_run_seconds",
    "seconds",
    "Time that the runs took that berth_bpf_program_runs_total counts.",
);
pub(crate) const DRIFT: Family = Family {
    name: "berth_counter_audit_drift_ratio",
    kind: Kind::Summary,
    unit: "ratio",
    help: "By how much the count of an interface and that of its device differ, relative to the latter, as quantiles over the interfaces.",
};
pub(crate) const AUDIT_FAILURES: Family = Family::counter(
    "berth_counter_audit_failures",
    "",
    "Comparisons with the counters of devices that could not be made.",
);
pub(crate) const RESTORED: Family = Family::counter(
    "berth_counter_base_restored",
    "",
    "From where the agent went on counting at its start.",
);
pub(crate) const COLLECT: Family = Family {
    name: "berth_collect_duration_seconds",
    kind: Kind::Histogram,
    unit: "seconds",
    help: "How long it took to read the counters and to write them down.",
};
pub(crate) const SCRAPE_BYTES: Family = Family::gauge(
    "berth_scrape_bytes",
    "bytes",
    "Size of the exposition before compression, by what it is about.",
);
pub(crate) const SERIES: Family = Family::gauge(
    "berth_series",
    "series",
    "Series of the exposition, by what they are about; without the lines on creation.",
);
pub(crate) const SERIES_DROPPED: Family = Family::counter(
    "berth_series_dropped",
    "",
    "Series that were left out of expositions, because there are too many or because another has the same labels; their counts are in the pod other.",
);
pub(crate) const LOOKUP_FAILURES: Family = Family::counter(
    "berth_container_lookup_failures",
    "",
    "Containers that could not be identified.",
);
pub(crate) const CRI_UP: Family =
    Family::gauge("berth_cri_up", "", "Whether the container runtime answers.");
pub(crate) const EVENTS_LAG: Family = Family::gauge(
    "berth_events_lag_seconds",
    "seconds",
    "For how long the oldest record of an interface has waited that is there and not counted, since it was written; 0 when none does.",
);
pub(crate) const OPEN_NETNS: Family = Family::gauge(
    "berth_open_netns_fds",
    "fds",
    "Network namespaces that the agent holds open now.",
);
pub(crate) const COVERAGE: Family = Family::gauge(
    "berth_attachments",
    "attachments",
    "Interfaces that are recorded on the node, and those of them that are counted.",
);
pub(crate) const DEGRADED: Family = Family::gauge(
    "berth_agent_degraded",
    "",
    "In how many ways the agent works less well than it could.",
);
