//! What is counted.

use crate::export::text::{Family, Kind};

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
