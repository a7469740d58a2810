//! Changes as etcd sends them.

use std::fmt;
use std::future;

use etcd_client::{WatchOptions, WatchResponse, WatchStream};

use super::cluster::Cluster;
use super::convert;
use super::failure::{Failure, classify};
use crate::{Event, KeyRange, Revision, StoreError, Watch};

/// The watch of an [`super::EtcdStore`].
///
/// It stays with the endpoint that answered first. HTTP/2 pings notice a peer that is gone, some
/// six seconds and the configured timeout after its last sign of life; a member that has lost its
/// leader says so. Either ends the stream.
pub struct EtcdWatch {
    store: String,
    /// `None` when nothing can ever happen in the range.
    stream: Option<WatchStream>,
}

/// Starts a watch of `range` after `after`.
///
/// # Errors
/// Never [`Failure::NoAnswer`].
pub(super) async fn watch(
    cluster: &Cluster,
    range: &KeyRange,
    after: Revision,
) -> Result<EtcdWatch, Failure> {
    let store = cluster.name().to_owned();
    let Some((start, end)) = convert::bounds(range) else {
        return Ok(EtcdWatch {
            store,
            stream: None,
        });
    };
    // Without `with_fragment`, every message holds whole revisions.
    let options = WatchOptions::new()
        .with_range(end)
        .with_start_revision(convert::to_number(after).saturating_add(1));
    let started = cluster.ask(|clients| {
        let (mut client, start, options) = (clients.watch, start.clone(), options.clone());
        async move {
            let mut stream = client.watch(start, Some(options)).await?;
            let created = stream.message().await?;
            Ok((stream, created))
        }
    });
    let (stream, created) = started.await?;
    let created =
        created.ok_or_else(|| Failure::NotSent("the watch was closed at once".to_owned()))?;
    check(&store, &created).map_err(Failure::Final)?;
    Ok(EtcdWatch {
        store,
        stream: Some(stream),
    })
}

impl Watch for EtcdWatch {
    async fn next(&mut self) -> Result<Vec<Event>, StoreError> {
        let Some(stream) = &mut self.stream else {
            return future::pending().await;
        };
        loop {
            let message = stream.message().await.map_err(|error| {
                let store = self.store.clone();
                match classify(&store, error) {
                    Failure::NotSent(reason)
                    | Failure::NoAnswer(reason)
                    | Failure::TooLarge(reason) => StoreError::Unavailable { store, reason },
                    Failure::Compacted => StoreError::Compacted { store },
                    Failure::Final(error) => error,
                }
            })?;
            let message = message.ok_or_else(|| StoreError::Unavailable {
                store: self.store.clone(),
                reason: "the watch was closed".to_owned(),
            })?;
            check(&self.store, &message)?;
            let found: Vec<_> = message.events().iter().filter_map(convert::event).collect();
            if !found.is_empty() {
                return Ok(found);
            }
        }
    }
}

/// Says why etcd has ended the watch, if it has.
fn check(store: &str, message: &WatchResponse) -> Result<(), StoreError> {
    if message.compact_revision() > 0 {
        return Err(StoreError::Compacted {
            store: store.to_owned(),
        });
    }
    if message.canceled() {
        let (store, reason) = (store.to_owned(), message.cancel_reason().to_owned());
        return Err(if reason.contains("permission denied") {
            StoreError::Rejected { store, reason }
        } else {
            StoreError::Unavailable { store, reason }
        });
    }
    Ok(())
}

impl fmt::Debug for EtcdWatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdWatch")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}
