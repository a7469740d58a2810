//! What things are called in labels and in JSON.

use berth_ebpf_common::Unattributed;

use crate::model::{Driver, Mode};

/// What an interface is, in labels.
pub(crate) const fn driver_label(driver: Driver) -> &'static str {
    match driver {
        Driver::Macvlan => "macvlan",
        Driver::Ovs => "ovs",
    }
}

/// How an interface is counted, in labels.
pub(crate) const fn mode_label(mode: Mode) -> &'static str {
    match mode {
        Mode::Tcx => "tcx",
        Mode::Clsact => "clsact",
        Mode::Device => "device",
        Mode::Off => "off",
    }
}

/// Why no container could be named, in labels.
pub(crate) const fn reason_label(reason: Unattributed) -> &'static str {
    match reason {
        Unattributed::PodCgroup => "pod_cgroup",
        Unattributed::UnknownCgroup => "unknown_cgroup",
        Unattributed::MapFull => "map_full",
    }
}
