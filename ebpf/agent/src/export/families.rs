//! The names, units and meanings of everything that is exported. The one list of them.

use super::text::{Family, Kind};

/// What `bytes` are, in words.
macro_rules! bytes {
    ($what:literal) => {
        concat!(
            $what,
            " Bytes are those of the frames on the wire with the Ethernet header, without preamble, checksum (FCS) and a VLAN tag that the kernel keeps beside the packet."
        )
    };
}

/// What bytes of containers are, in words.
macro_rules! l3_bytes {
    ($what:literal) => {
        concat!(
            $what,
            " Bytes are those from the IP header on (L3), as segmented on the wire."
        )
    };
}

/// Pods, receive and transmit.
pub(crate) const POD_BYTES: [Family; 2] = [
    Family::counter(
        "berth_pod_receive_bytes",
        "bytes",
        bytes!("Received by the interface of a pod, by where the peer is."),
    ),
    Family::counter(
        "berth_pod_transmit_bytes",
        "bytes",
        bytes!("Sent by the interface of a pod, by where the peer is."),
    ),
];
pub(crate) const POD_PACKETS: [Family; 2] = [
    Family::counter(
        "berth_pod_receive_packets",
        "packets",
        "Packets received by the interface of a pod as on the wire, by where the peer is.",
    ),
    Family::counter(
        "berth_pod_transmit_packets",
        "packets",
        "Packets sent by the interface of a pod as on the wire, by where the peer is.",
    ),
];
pub(crate) const POD_DROPPED: [Family; 2] = [
    Family::counter(
        "berth_pod_receive_dropped",
        "",
        "Packets to a pod that its device dropped, by the counters of the kernel.",
    ),
    Family::counter(
        "berth_pod_transmit_dropped",
        "",
        "Packets from a pod that its device dropped, by the counters of the kernel.",
    ),
];
pub(crate) const POD_INFO: Family = Family::info(
    "berth_pod",
    "The interfaces of pods that are counted, and what they belong to.",
);
pub(crate) const POD_ATTACHED: Family = Family::gauge(
    "berth_pod_attached",
    "",
    "Whether the traffic of an interface is counted: 1, or 0 when it is not.",
);

/// TCP.
pub(crate) const TCP_RETRANSMITS: Family = Family::counter(
    "berth_pod_tcp_retransmits",
    "",
    "TCP segments that a pod sent again.",
);
pub(crate) const TCP_RESETS: Family = Family::counter(
    "berth_pod_tcp_resets",
    "",
    "TCP segments with RST that a pod received or sent.",
);
pub(crate) const TCP_CONNECTS: Family = Family::counter(
    "berth_pod_tcp_connects",
    "",
    "TCP connections of a pod: opened by it, failed to open, accepted by it.",
);
pub(crate) const TCP_RTT: Family = Family {
    name: "berth_namespace_tcp_rtt_seconds",
    kind: Kind::Histogram,
    unit: "seconds",
    help: "Smoothed round-trip times of the TCP connections of the pods of a namespace.",
};

/// Containers.
pub(crate) const CONTAINER_BYTES: [Family; 2] = [
    Family::counter(
        "berth_container_receive_l3_bytes",
        "bytes",
        l3_bytes!("Received by the sockets of a container."),
    ),
    Family::counter(
        "berth_container_transmit_l3_bytes",
        "bytes",
        l3_bytes!("Sent by the sockets of a container."),
    ),
];
pub(crate) const CONTAINER_PACKETS: [Family; 2] = [
    Family::counter(
        "berth_container_receive_packets",
        "packets",
        "Packets received by the sockets of a container.",
    ),
    Family::counter(
        "berth_container_transmit_packets",
        "packets",
        "Packets sent by the sockets of a container.",
    ),
];
pub(crate) const CONTAINER_LOOPBACK: Family = Family::counter(
    "berth_container_loopback_l3_bytes",
    "bytes",
    l3_bytes!("Through the loopback interface, to and from the sockets of a container."),
);
pub(crate) const UNATTRIBUTED: Family = Family::counter(
    "berth_unattributed_l3_bytes",
    "bytes",
    l3_bytes!("To and from sockets that belong to no container that is known."),
);

/// Sums.
pub(crate) const NODE_BYTES: [Family; 2] = [
    Family::counter(
        "berth_node_receive_bytes",
        "bytes",
        bytes!("Received by all pods of the node, those that ended included."),
    ),
    Family::counter(
        "berth_node_transmit_bytes",
        "bytes",
        bytes!("Sent by all pods of the node, those that ended included."),
    ),
];
pub(crate) const WORKLOAD_BYTES: [Family; 2] = [
    Family::counter(
        "berth_workload_receive_bytes",
        "bytes",
        bytes!("Received by all pods of a workload on the node, those that ended included."),
    ),
    Family::counter(
        "berth_workload_transmit_bytes",
        "bytes",
        bytes!("Sent by all pods of a workload on the node, those that ended included."),
    ),
];
pub(crate) const NAMESPACE_BYTES: Family = Family::counter(
    "berth_namespace_bytes",
    "bytes",
    bytes!(
        "Of all pods of a namespace on the node, those that ended included, by protocol and address family."
    ),
);
pub(crate) const NAMESPACE_PACKETS: Family = Family::counter(
    "berth_namespace_packets",
    "packets",
    "Packets of all pods of a namespace on the node, those that ended included, by protocol and address family.",
);

/// The agent itself.
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

/// The process, by the names that every exporter has.
pub(crate) const PROCESS_CPU: Family = Family::counter(
    "process_cpu_seconds",
    "seconds",
    "User and system time of the process.",
);
pub(crate) const PROCESS_RSS: Family = Family::gauge(
    "process_resident_memory_bytes",
    "bytes",
    "Resident memory of the process.",
);
pub(crate) const PROCESS_VIRTUAL: Family = Family::gauge(
    "process_virtual_memory_bytes",
    "bytes",
    "Virtual memory of the process.",
);
pub(crate) const PROCESS_FDS: Family = Family::gauge(
    "process_open_fds",
    "fds",
    "Open file descriptors of the process.",
);
pub(crate) const PROCESS_MAX_FDS: Family = Family::gauge(
    "process_max_fds",
    "fds",
    "Most file descriptors of the process.",
);
pub(crate) const PROCESS_STARTED: Family = Family::gauge(
    "process_start_time_seconds",
    "seconds",
    "When the process started, in seconds since 1970.",
);
pub(crate) const PROCESS_THREADS: Family =
    Family::gauge("process_threads", "threads", "Threads of the process.");

/// The names of cAdvisor: receive and transmit of bytes, packets, dropped, errors.
pub(crate) const CADVISOR: [[Family; 2]; 4] = [
    [
        Family::counter(
            "container_network_receive_bytes",
            "bytes",
            "Cumulative count of bytes received.",
        ),
        Family::counter(
            "container_network_transmit_bytes",
            "bytes",
            "Cumulative count of bytes transmitted.",
        ),
    ],
    [
        Family::counter(
            "container_network_receive_packets",
            "packets",
            "Cumulative count of packets received.",
        ),
        Family::counter(
            "container_network_transmit_packets",
            "packets",
            "Cumulative count of packets transmitted.",
        ),
    ],
    [
        Family::counter(
            "container_network_receive_packets_dropped",
            "",
            "Cumulative count of packets dropped while receiving.",
        ),
        Family::counter(
            "container_network_transmit_packets_dropped",
            "",
            "Cumulative count of packets dropped while transmitting.",
        ),
    ],
    [
        Family::counter(
            "container_network_receive_errors",
            "",
            "Cumulative count of errors encountered while receiving.",
        ),
        Family::counter(
            "container_network_transmit_errors",
            "",
            "Cumulative count of errors encountered while transmitting.",
        ),
    ],
];
