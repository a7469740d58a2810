//! A store that is older than what the node has seen of it: closed by whoever notices.

use berth_store::{Lineage, LineageSeen, Revision, Store};

use super::asking::Asking;
use super::txn::Refusal;
use crate::closure::{self, Known, Notice, Present, SetBack, Verdict, judge_set_back};
use crate::hint::Witness;
use crate::{Ipam, IpamError};

/// What a hint knows of the store.
pub(super) fn known(
    lineage: Option<Lineage>,
    revision: Revision,
    witness: Option<&Witness>,
) -> Known {
    Known {
        lineage,
        revision,
        witness: witness.map(|witness| closure::Witness {
            attachment: witness.id.clone(),
            revision: witness.revision,
        }),
    }
}

/// What a refusal shows of the store.
pub(super) fn present(lineage: LineageSeen, revision: Revision, seen: &Refusal) -> Present {
    let pool = seen.pool.as_ref();
    Present {
        lineage,
        revision,
        attachment: seen.witness.unwrap_or(Revision::ABSENT),
        address: seen.witness_address.clone(),
        pool: pool.map_or(Revision::ABSENT, |(revision, _)| *revision),
    }
}

impl<S: Store> Ipam<S> {
    /// Which store has answered so far, when it was one.
    pub(super) fn lineage(&self) -> Option<Lineage> {
        match self.store.lineage() {
            LineageSeen::One(lineage) => Some(lineage),
            LineageSeen::Nobody | LineageSeen::Several => None,
        }
    }

    /// Closes the store if it was set back.
    ///
    /// # Errors
    /// [`IpamError::SetBack`].
    pub(super) async fn judge_store(
        &self,
        asking: &Asking<'_>,
        known: &Known,
        present: &Present,
    ) -> Result<(), IpamError> {
        match judge_set_back(known, present) {
            Verdict::SetBack(how) => Err(self.close_store(asking, how).await),
            Verdict::Same | Verdict::Released | Verdict::CannotTell => Ok(()),
        }
    }

    /// As [`Ipam::judge_store`], of an answer that shows nothing but where it is from, and when.
    pub(super) async fn judge_answer(
        &self,
        asking: &Asking<'_>,
        known: &Known,
        revision: Revision,
    ) -> Result<(), IpamError> {
        let present = Present {
            lineage: self.store.lineage(),
            revision,
            attachment: Revision::ABSENT,
            address: None,
            pool: Revision::ABSENT,
        };
        let known = Known {
            witness: None,
            ..known.clone()
        };
        self.judge_store(asking, &known, &present).await
    }

    /// Gives back at once what was claimed in a store that turns out to be another.
    ///
    /// # Errors
    /// [`IpamError::SetBack`]; another where it could not be given back.
    pub(super) async fn refuse_in_another_store(
        &self,
        asking: &Asking<'_>,
        known: &Known,
    ) -> Result<(), IpamError> {
        match self.judge_answer(asking, known, Revision(u64::MAX)).await {
            Ok(()) => Ok(()),
            Err(set_back) => {
                let id = &asking.request.attachment;
                self.release(id, None, asking.now).await?;
                Err(set_back)
            }
        }
    }

    async fn close_store(&self, asking: &Asking<'_>, how: SetBack) -> IpamError {
        let notice = Notice {
            reason: how.to_string(),
            noticed_by: Some(self.node.name.clone()),
        };
        let random = asking.request.incarnation.to_bytes();
        match closure::close(&self.store, &notice, random, asking.now).await {
            Ok(_) => tracing::error!(%how, "the store was set back: closed for allocation"),
            Err(error) => tracing::error!(%how, %error, "the store was set back, and stays open"),
        }
        IpamError::SetBack(how)
    }
}
