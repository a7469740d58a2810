//! Whether a name is this machine's. Pure.

use std::fmt;

use berth_types::{Answered, ClosureId, NodeAnswer, NodeId, NodeName, NodeRecord, SchemaVersion};

use super::NodeIdentity;

/// What the record at `nodes/<node>` says about this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The name is this machine's.
    Ours,
    /// The name is nobody's yet: this record, written in the allocation's own transaction, takes it.
    Unclaimed(NodeRecord),
    /// It is this machine's, and was declared dead in that closure: what lives here is not in the
    /// store. Allocate nothing until it has republished, which it may although the store is open.
    DeclaredDead(ClosureId),
    /// The name is another machine's: allocate nothing.
    Anothers(Anothers),
}

/// A name that another machine has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("node name {name} belongs to another machine: {why}")]
pub struct Anothers {
    /// The name.
    pub name: NodeName,
    /// What tells the two apart.
    pub why: Why,
}

/// What tells two machines of one name apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The store knows the name under another random id: two machines of one name, or a machine
    /// that was installed anew.
    OtherNode {
        /// The id the store has.
        theirs: NodeId,
        /// The id this machine has.
        ours: NodeId,
    },
    /// The random id is the same, the machine is not: a disk image was cloned, id file and all.
    OtherMachine {
        /// The `/etc/machine-id` the store has.
        theirs: String,
        /// This machine's.
        ours: String,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherNode { theirs, ours } => {
                write!(f, "the store has node id {theirs}, this machine has {ours}")
            }
            Self::OtherMachine { theirs, ours } => write!(
                f,
                "its node id is the same, but its machine id is {theirs}, and this one's is {ours}"
            ),
        }
    }
}

impl Anothers {
    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self.why {
            Why::OtherNode { .. } => {
                "give one of the two another name (\"node\"); if this machine replaces the other, which is gone, run `cnictl node adopt` on it"
            }
            Why::OtherMachine { .. } => {
                "on the copy remove <stateDir>/node-id and give it a name of its own; if this is the same machine with a new /etc/machine-id, run `cnictl node adopt` on it"
            }
        }
    }
}

/// Decides whether the name is this machine's, by the store's record of it.
///
/// A machine id that either side lacks decides nothing. A boot id never does: a machine that boots
/// is the same machine.
pub fn judge(record: Option<&NodeRecord>, identity: &NodeIdentity) -> Standing {
    let Some(record) = record else {
        return Standing::Unclaimed(identity.record());
    };
    let why = if record.node_id != identity.id {
        Why::OtherNode {
            theirs: record.node_id.clone(),
            ours: identity.id.clone(),
        }
    } else if differ(&record.machine_id, &identity.machine_id) {
        Why::OtherMachine {
            theirs: record.machine_id.clone(),
            ours: identity.machine_id.clone(),
        }
    } else {
        return ours(record.answered.as_ref());
    };
    Standing::Anothers(Anothers {
        name: identity.name.clone(),
        why,
    })
}

fn ours(answered: Option<&Answered>) -> Standing {
    match answered {
        Some(Answered {
            closure,
            how: NodeAnswer::Dead,
        }) => Standing::DeclaredDead(closure.clone()),
        _ => Standing::Ours,
    }
}

fn differ(one: &str, other: &str) -> bool {
    !one.is_empty() && !other.is_empty() && one != other
}

impl NodeIdentity {
    /// The record that says that the name is this machine's.
    pub fn record(&self) -> NodeRecord {
        let Self {
            name: _,
            id,
            machine_id,
            boot_id,
        } = self;
        NodeRecord {
            v: SchemaVersion,
            node_id: id.clone(),
            machine_id: machine_id.clone(),
            boot_id: boot_id.clone(),
            upkeep: None,
            answered: None,
        }
    }

    /// `record`, which is this machine's, with the machine and boot ids of this moment; all else
    /// stays. Whoever writes it anyway keeps it true so.
    #[must_use]
    pub fn refreshed(&self, record: &NodeRecord) -> NodeRecord {
        let fresh = self.record();
        NodeRecord {
            machine_id: if fresh.machine_id.is_empty() {
                record.machine_id.clone()
            } else {
                fresh.machine_id
            },
            boot_id: fresh.boot_id,
            ..record.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_types::{Answered, ClosureId, NodeAnswer};

    use super::*;

    fn machine(id: u8, machine_id: &str, boot_id: &str) -> NodeIdentity {
        NodeIdentity {
            name: "n1".parse().unwrap(),
            id: format!("{id:032x}").parse().unwrap(),
            machine_id: machine_id.to_owned(),
            boot_id: boot_id.to_owned(),
        }
    }

    #[test]
    fn case_76_a_name_is_its_machines_and_nobody_elses() {
        let holder = machine(1, "aa", "boot-1");
        let cases = [
            ("the same", machine(1, "aa", "boot-1"), "ours"),
            ("after a reboot", machine(1, "aa", "boot-2"), "ours"),
            ("its machine id is lost", machine(1, "", "boot-2"), "ours"),
            (
                "another machine of that name",
                machine(2, "bb", "boot-3"),
                "other node",
            ),
            (
                "installed anew, disk wiped",
                machine(2, "cc", "boot-3"),
                "other node",
            ),
            (
                "only its id file was lost",
                machine(2, "aa", "boot-1"),
                "other node",
            ),
            (
                "a cloned image",
                machine(1, "bb", "boot-3"),
                "other machine",
            ),
        ];
        for (case, identity, expected) in cases {
            let standing = judge(Some(&holder.record()), &identity);
            let found = match standing {
                Standing::Ours => "ours",
                Standing::DeclaredDead(_) => "dead",
                Standing::Unclaimed(_) => "unclaimed",
                Standing::Anothers(Anothers { why, .. }) => match why {
                    Why::OtherNode { .. } => "other node",
                    Why::OtherMachine { .. } => "other machine",
                },
            };
            assert_eq!(found, expected, "case: {case}");
        }
    }

    #[test]
    fn a_machine_that_was_declared_dead_is_told() {
        let identity = machine(1, "aa", "boot-1");
        let closure = ClosureId::from_random([1; 16]);
        let record = |how| NodeRecord {
            answered: Some(Answered {
                closure: closure.clone(),
                how,
            }),
            ..identity.record()
        };
        let dead = judge(Some(&record(NodeAnswer::Dead)), &identity);
        assert_eq!(dead, Standing::DeclaredDead(closure.clone()));
        let alive = judge(Some(&record(NodeAnswer::Republished)), &identity);
        assert_eq!(alive, Standing::Ours);
    }

    #[test]
    fn a_name_nobody_has_is_taken_with_all_that_is_known() {
        let identity = machine(1, "aa", "boot-1");
        let Standing::Unclaimed(record) = judge(None, &identity) else {
            panic!("nobody has it")
        };
        assert_eq!(judge(Some(&record), &identity), Standing::Ours);
        assert_eq!(
            (record.machine_id, record.boot_id),
            ("aa".into(), "boot-1".into())
        );
    }

    #[test]
    fn a_record_without_machine_id_is_judged_by_the_node_id_alone() {
        let record = machine(1, "", "").record();
        assert_eq!(judge(Some(&record), &machine(1, "aa", "b")), Standing::Ours);
    }

    #[test]
    fn what_others_wrote_of_a_node_survives_its_refreshing() {
        let answered = Some(Answered {
            closure: ClosureId::from_random([1; 16]),
            how: NodeAnswer::Republished,
        });
        let record = NodeRecord {
            answered: answered.clone(),
            ..machine(1, "aa", "boot-1").record()
        };
        let fresh = machine(1, "", "boot-2").refreshed(&record);
        assert_eq!(fresh.answered, answered);
        assert_eq!(
            (fresh.machine_id, fresh.boot_id),
            ("aa".into(), "boot-2".into())
        );
    }

    #[test]
    fn both_remedies_are_told() {
        for other in [machine(2, "bb", ""), machine(1, "bb", "")] {
            let Standing::Anothers(anothers) = judge(Some(&machine(1, "aa", "").record()), &other)
            else {
                panic!("another's")
            };
            assert!(anothers.to_string().contains("n1"), "{anothers}");
            assert!(anothers.hint().contains("cnictl node adopt"));
        }
    }
}
