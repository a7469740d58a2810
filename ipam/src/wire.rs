//! What was heard on the wire about the addresses of a lease.

use std::net::IpAddr;

use berth_store::{Compare, Outcome, Store, Txn, Write};
use berth_types::{Record as _, keys};

use crate::fault::checkpoint;
use crate::{Ipam, IpamError, Lease, Leased, Request};

impl<S: Store> Ipam<S> {
    /// Writes down that somebody was heard on the wire for the `answered` addresses of a lease, and
    /// that nobody was for its others, which were all asked for where they were doubtful.
    ///
    /// The answered ones stay doubtful when they are released: given last, and not without asking
    /// again. Nothing is sent to the store where it knows that already.
    ///
    /// # Errors
    /// [`IpamError::Contended`] when the addresses are the attachment's no more; others of the store.
    pub async fn note_wire(
        &self,
        request: &Request,
        lease: Lease,
        answered: &[IpAddr],
    ) -> Result<Lease, IpamError> {
        let heard = |leased: &Leased| answered.contains(&leased.address);
        let known = |leased: &Leased| leased.record.unproven == heard(leased);
        if lease.addresses.iter().all(known) {
            return Ok(lease);
        }
        let mut noted = lease;
        for leased in &mut noted.addresses {
            leased.record.unproven = heard(leased);
        }
        checkpoint("ipam.wire.before");
        let outcome = self.commit_surely(&self.noting(request, &noted)).await?;
        checkpoint("ipam.wire.after");
        let Outcome::Committed(revision) = outcome else {
            return Err(IpamError::Contended {
                pool: noted.pool,
                attempts: 1,
            });
        };
        noted.revision = revision;
        let addresses: Vec<_> = noted.addresses.iter().map(|a| a.address).collect();
        self.learn(&noted.pool, |hint| {
            hint.committed(&addresses, &request.attachment, revision, &[]);
        });
        Ok(noted)
    }

    /// Rewrites the attachment too: whoever releases it knows one revision of all.
    fn noting(&self, request: &Request, noted: &Lease) -> Txn {
        let addresses = noted.addresses.iter().map(|leased| leased.address);
        let attached = request.record(&self.node.id, addresses.collect());
        let key = keys::attachment(&request.attachment);
        let mut txn = Txn {
            compares: vec![Compare::at(key.as_str(), noted.revision)],
            writes: vec![Write::put(key, attached.encode())],
            otherwise: Vec::new(),
        };
        for leased in &noted.addresses {
            let key = keys::address(leased.address);
            txn.compares.push(Compare::at(key.as_str(), noted.revision));
            txn.writes.push(Write::put(key, leased.record.encode()));
        }
        txn
    }
}
