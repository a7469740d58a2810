//! One change of one address, as a node writes it down.

use std::net::IpAddr;

use berth_store::Revision;
use berth_types::{AttachmentId, Holder, Incarnation, PodRef, PoolName, Record, SchemaVersion};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What became of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum What {
    /// Nobody held it; the attachment does from then on.
    Held,
    /// Somebody else, or an earlier life of the attachment, held it; the attachment does from then
    /// on.
    PassedOn,
    /// The attachment gave it up.
    Released,
    /// It was taken from the attachment, of which nothing was left.
    Reclaimed,
    /// An operator took it from the attachment.
    TakenAway,
    /// The attachment holds it, and the node wrote that again after the store was set back.
    Republished,
}

impl What {
    /// The word that stands for it in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::PassedOn => "passed-on",
            Self::Released => "released",
            Self::Reclaimed => "reclaimed",
            Self::TakenAway => "taken-away",
            Self::Republished => "republished",
        }
    }

    /// Whether the attachment holds the address from then on.
    pub(super) const fn begins(self) -> bool {
        match self {
            Self::Held | Self::PassedOn | Self::Republished => true,
            Self::Released | Self::Reclaimed | Self::TakenAway => false,
        }
    }
}

/// One change of one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Schema version.
    pub v: SchemaVersion,
    /// When, by the clock of the node that made it.
    pub at: Timestamp,
    /// The address.
    pub address: IpAddr,
    /// Its pool.
    pub pool: PoolName,
    /// Who holds it from then on, or until then.
    pub attachment: AttachmentId,
    /// Which life of the attachment.
    pub incarnation: Incarnation,
    /// Its pod, when the runtime named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodRef>,
    /// What became of the address.
    pub what: What,
    /// The revision of the store that made it so.
    pub revision: Revision,
}

impl Record for Change {}

impl Change {
    /// What became of `address` of `pool` at `at`; `holder` has it from then on, or until then.
    pub fn new(
        what: What,
        (address, pool): (IpAddr, &PoolName),
        holder: &Holder,
        revision: Revision,
        at: Timestamp,
    ) -> Self {
        let Holder {
            attachment,
            incarnation,
            pod,
            mac: _,
            since: _,
        } = holder;
        Self {
            v: SchemaVersion,
            at,
            address,
            pool: pool.clone(),
            attachment: attachment.clone(),
            incarnation: incarnation.clone(),
            pod: pod.clone(),
            what,
            revision,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_one_line_that_is_read_back() {
        let change = Change {
            v: SchemaVersion,
            at: "2026-11-20T03:14:00Z".parse().unwrap(),
            address: "2001:db8::17".parse().unwrap(),
            pool: "prod".parse().unwrap(),
            attachment: "n1/pods/0f3a/eth0".parse().unwrap(),
            incarnation: Incarnation::from_random([1; 16]),
            pod: Some(PodRef {
                namespace: "shop".into(),
                name: "cart\n0".into(),
                uid: "u".into(),
            }),
            what: What::PassedOn,
            revision: Revision(7),
        };
        let line = change.encode();
        assert!(!line.contains(&b'\n'));
        assert_eq!(Change::decode("line", &line), Ok(change));
    }

    #[test]
    fn the_word_in_the_log_is_the_one_in_the_event() {
        for what in [
            What::Held,
            What::PassedOn,
            What::Released,
            What::Reclaimed,
            What::TakenAway,
            What::Republished,
        ] {
            assert_eq!(serde_json::to_value(what).unwrap(), what.as_str());
        }
    }
}
