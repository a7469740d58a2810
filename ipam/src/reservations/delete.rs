//! Letting addresses go: a reservation is deleted.

use std::net::IpAddr;

use berth_store::{Compare, Outcome, Revision, Store, Txn, Write};
use berth_types::{AddressRecord, Record as _, ReservationId, ReservationRecord, keys};

use super::view::View;
use super::{IfHeld, ReserveError};

/// How many addresses one transaction lets go, two writes each; etcd allows 128 operations.
const PER_TXN: usize = 60;

/// A reservation that is to be deleted, with everything that rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removal {
    /// Whose.
    pub id: ReservationId,
    /// What it is; `None` when there are only addresses that name it.
    pub record: Option<ReservationRecord>,
    /// The addresses that name it, in order, whether or not it lists them.
    pub marked: Vec<(IpAddr, AddressRecord)>,
    at: Revision,
    /// The addresses that it lists or that name it, with when they were written.
    revisions: Vec<(IpAddr, Revision)>,
}

/// Decides what the deletion of a reservation takes. Pure.
///
/// Also takes the name off addresses that it does not list, so that whatever left them so is put
/// right by deleting it once more.
///
/// # Errors
/// [`ReserveError::NoSuchReservation`] when there is neither it nor an address that names it;
/// [`ReserveError::Held`]; [`ReserveError::Record`].
pub fn plan_delete(
    view: &View,
    id: &ReservationId,
    if_held: IfHeld,
) -> Result<Removal, ReserveError> {
    let found = view.reservation(id)?;
    let marked: Vec<_> = view.marked_for(id).collect();
    if found.is_none() && marked.is_empty() {
        return Err(ReserveError::NoSuchReservation(id.clone()));
    }
    let held = marked
        .iter()
        .find_map(|(address, _, record)| Some((*address, record.holder.clone()?)));
    if let (Some((address, holder)), IfHeld::Refuse) = (held, if_held) {
        let holder = Box::new(holder);
        return Err(ReserveError::Held { address, holder });
    }
    let mut revisions: Vec<_> = marked
        .iter()
        .map(|(a, revision, _)| (*a, *revision))
        .collect();
    for address in found.iter().flat_map(|(_, record)| &record.addresses) {
        let (revision, record) = match view.addresses.get(address) {
            None => (Revision::ABSENT, None),
            Some((revision, Ok(record))) => (*revision, Some(record)),
            Some((_, Err(bad))) => return Err(bad.clone().into()),
        };
        if record.is_none_or(|record| record.reserved_for.as_ref() != Some(id)) {
            revisions.push((*address, revision));
        }
    }
    revisions.sort_unstable();
    Ok(Removal {
        id: id.clone(),
        at: found.as_ref().map_or(Revision::ABSENT, |(at, _)| *at),
        record: found.map(|(_, record)| record),
        marked: marked.into_iter().map(|(a, _, r)| (a, r.clone())).collect(),
        revisions,
    })
}

impl Removal {
    /// Deletes it if nothing of it changed. The addresses keep their holders and their history.
    ///
    /// # Errors
    /// [`ReserveError::Changed`]; [`ReserveError::Partly`] when some addresses were let go before.
    pub async fn commit(&self, store: &impl Store) -> Result<(), ReserveError> {
        let mut at = self.at;
        let mut left = self.revisions.as_slice();
        loop {
            let (some, rest) = left.split_at(left.len().min(PER_TXN));
            let done = self.revisions.len() - left.len();
            match store.commit(&self.txn(at, some, rest)).await {
                Ok(Outcome::Committed(revision)) => at = revision,
                Ok(Outcome::Refused(_)) => return Err(stopped(done, self.changed())),
                Err(error) => return Err(stopped(done, error.into())),
            }
            left = rest;
            if left.is_empty() {
                return Ok(());
            }
        }
    }

    fn changed(&self) -> ReserveError {
        ReserveError::Changed {
            id: self.id.clone(),
        }
    }

    fn marked_record(&self, address: IpAddr) -> Option<&AddressRecord> {
        let found = self.marked.binary_search_by_key(&address, |(a, _)| *a);
        Some(&self.marked.get(found.ok()?)?.1)
    }

    /// Lets `some` go; the reservation stands as long as there is a `rest`.
    fn txn(&self, at: Revision, some: &[(IpAddr, Revision)], rest: &[(IpAddr, Revision)]) -> Txn {
        let key = keys::reservation(&self.id);
        let mut txn = Txn {
            compares: vec![Compare::at(key.as_str(), at)],
            ..Txn::default()
        };
        for (address, revision) in some {
            let key = keys::address(*address);
            txn.compares.push(Compare::at(key.as_str(), *revision));
            if let Some(record) = self.marked_record(*address) {
                let free = AddressRecord {
                    reserved_for: None,
                    ..record.clone()
                };
                txn.writes.push(Write::put(key, free.encode()));
                // Nobody has a right to wait for it any more.
                txn.writes.push(Write::delete(keys::wanted(*address)));
            }
        }
        txn.writes.extend(self.record.as_ref().map(|record| {
            let mut smaller = record.clone();
            smaller.addresses.retain(|address| {
                rest.binary_search_by_key(address, |(left, _)| *left)
                    .is_ok()
            });
            if rest.is_empty() {
                Write::delete(key)
            } else {
                Write::put(key, smaller.encode())
            }
        }));
        txn
    }
}

fn stopped(done: usize, cause: ReserveError) -> ReserveError {
    if done == 0 {
        return cause;
    }
    let cause = Box::new(cause);
    ReserveError::Partly { done, cause }
}
