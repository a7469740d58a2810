//! The process, by the names that every exporter has.

use crate::export::text::Family;

pub(crate) const CPU: Family = Family::counter(
    "process_cpu_seconds",
    "seconds",
    "User and system time of the process.",
);
pub(crate) const RSS: Family = Family::gauge(
    "process_resident_memory_bytes",
    "bytes",
    "Resident memory of the process.",
);
pub(crate) const VIRTUAL: Family = Family::gauge(
    "process_virtual_memory_bytes",
    "bytes",
    "Virtual memory of the process.",
);
pub(crate) const FDS: Family = Family::gauge(
    "process_open_fds",
    "fds",
    "Open file descriptors of the process.",
);
pub(crate) const MAX_FDS: Family = Family::gauge(
    "process_max_fds",
    "fds",
    "Most file descriptors of the process.",
);
pub(crate) const STARTED: Family = Family::gauge(
    "process_start_time_seconds",
    "seconds",
    "When the process started, in seconds since 1970.",
);
pub(crate) const THREADS: Family =
    Family::gauge("process_threads", "threads", "Threads of the process.");
