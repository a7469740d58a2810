//! What cAdvisor exports.

use crate::export::text::Family;

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
