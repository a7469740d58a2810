//! What a thread may do: no more than it needs, and nothing where it speaks with strangers.

use rustix::io;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use tracing::warn;

/// What a thread needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// To wait, to compute, and to speak with others.
    Nothing,
    /// To read the kernel's maps, for which kernels before 5.19 want `CAP_BPF`.
    Maps,
    /// To measure programs, whoever has loaded them.
    Statistics,
    /// To load programs and attach them to cgroups. They leave parts of their stack unwritten, which
    /// the kernel lets pass with `CAP_PERFMON`.
    Programs,
}

impl Needs {
    const fn capabilities(self) -> CapabilitySet {
        match self {
            Self::Nothing => CapabilitySet::empty(),
            Self::Maps => CapabilitySet::BPF,
            Self::Statistics => CapabilitySet::SYS_ADMIN,
            Self::Programs => CapabilitySet::BPF
                .union(CapabilitySet::NET_ADMIN)
                .union(CapabilitySet::PERFMON),
        }
    }
}

/// Gives up what this thread does not need, for good: for itself, and for the threads that it
/// starts. Where that is refused it goes on with what it has.
pub fn keep_only(needs: Needs) {
    if let Err(error) = reduce(needs) {
        warn!(%error, "a thread keeps capabilities that it does not need");
    }
}

fn reduce(needs: Needs) -> io::Result<()> {
    let kept = kept(needs, capabilities(None)?.permitted);
    set_capabilities(
        None,
        CapabilitySets {
            effective: kept,
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )
}

/// What of `has` stays. `CAP_SYS_ADMIN` stands for what is missing, as it does for the kernel.
fn kept(needs: Needs, has: CapabilitySet) -> CapabilitySet {
    let needed = needs.capabilities();
    let stand_in = if CapabilitySet::contains(&has, needed) {
        CapabilitySet::empty()
    } else {
        CapabilitySet::SYS_ADMIN
    };
    has.intersection(needed.union(stand_in))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_stays_and_nothing_else() {
        let (bpf, net, perfmon, admin) = (
            CapabilitySet::BPF,
            CapabilitySet::NET_ADMIN,
            CapabilitySet::PERFMON,
            CapabilitySet::SYS_ADMIN,
        );
        let all = CapabilitySet::all();
        let none = CapabilitySet::empty();
        let cases = [
            ("nothing is needed", Needs::Nothing, all, none),
            ("maps", Needs::Maps, all, bpf),
            ("statistics", Needs::Statistics, all, admin),
            ("no CAP_SYS_ADMIN", Needs::Statistics, bpf | net, none),
            ("programs", Needs::Programs, all, bpf | net | perfmon),
            ("no CAP_BPF", Needs::Maps, net | admin, admin),
            (
                "no CAP_NET_ADMIN",
                Needs::Programs,
                bpf | admin,
                bpf | admin,
            ),
            ("neither", Needs::Programs, net, net),
            ("nothing is there", Needs::Maps, none, none),
        ];
        for (case, needs, has, expected) in cases {
            assert_eq!(kept(needs, has), expected, "case: {case}");
        }
    }

    #[test]
    fn a_thread_gives_up_its_own_and_no_other_threads() {
        let before = capabilities(None).unwrap();
        let after = std::thread::spawn(|| {
            keep_only(Needs::Nothing);
            capabilities(None).unwrap()
        });
        let after = after.join().unwrap();
        assert_eq!(after.permitted | after.effective, CapabilitySet::empty());
        assert_eq!(capabilities(None).unwrap(), before);
    }
}
