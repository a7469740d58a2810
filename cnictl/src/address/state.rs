//! What is the case with an address.

use berth_types::AddressRecord;
use serde::Serialize;

/// What is the case with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// Somebody holds it.
    Held,
    /// Nobody does, but it is kept for a reservation.
    Reserved,
    /// Nobody does; whether its last holder is gone was not proven by that holder's node.
    Unproven,
    /// Nobody does; somebody did.
    Free,
    /// Nobody ever did.
    Unused,
    /// It is in a pool's subnet, but never handed out.
    Unusable,
    /// It is in no pool.
    Outside,
    /// Its record is not one.
    Malformed,
    /// Its record was written by a later release.
    Newer,
}

impl State {
    /// Of an address whose record can be read.
    pub(super) const fn of(record: &AddressRecord) -> Self {
        if record.holder.is_some() {
            Self::Held
        } else if record.reserved_for.is_some() {
            Self::Reserved
        } else if record.unproven {
            Self::Unproven
        } else {
            Self::Free
        }
    }

    /// The word for it, the same as in JSON.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Reserved => "reserved",
            Self::Unproven => "unproven",
            Self::Free => "free",
            Self::Unused => "unused",
            Self::Unusable => "unusable",
            Self::Outside => "outside",
            Self::Malformed => "malformed",
            Self::Newer => "newer",
        }
    }

    /// What it means to somebody who wants the address.
    pub(super) const fn meaning(self) -> &'static str {
        match self {
            Self::Held => "somebody holds it",
            Self::Reserved => "nobody holds it, but it is kept for a reservation",
            Self::Unproven => "nobody holds it; it is used last, and probed first",
            Self::Free => "nobody holds it; it can be given to anybody",
            Self::Unused => "nobody ever held it; it can be given to anybody",
            Self::Unusable => {
                "never handed out: network, broadcast or gateway address, excluded, or out of range"
            }
            Self::Outside => "in no pool",
            Self::Malformed => "its record cannot be read; it is left alone",
            Self::Newer => "its record was written by a later release; it is left alone",
        }
    }
}
