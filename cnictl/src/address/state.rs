//! What is the case with an address.

use std::net::IpAddr;

use berth_types::{AddressRecord, PoolRecord};
use serde::Serialize;

/// What is the case with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum State {
    /// Somebody holds it.
    Held,
    /// Somebody holds it, and it was excluded from its pool since.
    ExcludedInUse,
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
    /// Of an address whose record can be read; `pool` is the one around it, as far as it is known.
    pub(crate) fn of(record: &AddressRecord, pool: Option<&PoolRecord>, address: IpAddr) -> Self {
        if record.holder.is_some() {
            let excluded = pool.is_some_and(|pool| pool.excludes(address));
            if excluded {
                Self::ExcludedInUse
            } else {
                Self::Held
            }
        } else if record.reserved_for.is_some() {
            Self::Reserved
        } else if pool.is_some_and(|pool| !pool.is_usable(address)) {
            Self::Unusable
        } else if record.unproven {
            Self::Unproven
        } else {
            Self::Free
        }
    }

    /// The word for it, the same as in JSON.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::ExcludedInUse => "excluded-in-use",
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
            Self::ExcludedInUse => "somebody holds it until it is released; then never handed out",
            Self::Reserved => "nobody holds it, but it is kept for a reservation",
            Self::Unproven => "nobody holds it; it is used last, and asked for on the wire first",
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
