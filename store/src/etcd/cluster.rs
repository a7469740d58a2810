//! One request, on whichever endpoint answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use etcd_client as etcd;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::debug;

use super::connect::{Clients, Member, Settings};
use super::failure::{Failure, classify};
use crate::lineage::Answerers;
use crate::{EtcdConfig, StoreError};

/// Pause before asking a cluster again that is electing a leader.
const PAUSE: Duration = Duration::from_millis(50);

/// The endpoints, and which of them to ask first.
pub(super) struct Cluster {
    settings: Settings,
    members: Vec<Member>,
    preferred: AtomicUsize,
    answerers: Answerers,
}

impl Cluster {
    /// Reads the files `config` names and draws the endpoint to begin with; connects to nothing.
    ///
    /// # Errors
    /// What cannot be used, and why.
    pub(super) fn new(config: &EtcdConfig) -> Result<Self, String> {
        let settings = Settings::new(config)?;
        let members: Vec<_> = config.endpoints.iter().cloned().map(Member::new).collect();
        let random = getrandom::u32().map_err(|error| error.to_string())?;
        let preferred = usize::try_from(random)
            .unwrap_or(0)
            .checked_rem(members.len());
        let preferred = preferred.ok_or("no endpoint is given")?;
        // The endpoint asked first proves the certificates, which are the same for all.
        if let Some(member) = members.get(preferred) {
            member.endpoint(&settings)?;
        }
        Ok(Self {
            settings,
            members,
            preferred: AtomicUsize::new(preferred),
            answerers: Answerers::default(),
        })
    }

    /// The store's name in errors.
    pub(super) fn name(&self) -> &str {
        &self.settings.store
    }

    /// Who has answered so far.
    pub(super) const fn answerers(&self) -> &Answerers {
        &self.answerers
    }

    /// Performs a request that changes nothing, on one endpoint after the other until one
    /// answers. While the cluster itself is at a loss, it is asked again until the deadline.
    ///
    /// # Errors
    /// Never [`Failure::NoAnswer`].
    pub(super) async fn ask<T, F, R>(&self, request: F) -> Result<T, Failure>
    where
        F: Fn(Clients) -> R + Sync,
        R: Future<Output = Result<T, etcd::Error>> + Send,
    {
        let give_up = Instant::now() + self.settings.timeout;
        loop {
            let mut worth_asking_again = false;
            let mut last = String::new();
            for (place, member) in self.in_order() {
                match self.attempt(member, &request).await {
                    Ok(answer) => {
                        self.preferred.store(place, Ordering::Relaxed);
                        return Ok(answer);
                    }
                    Err(Failure::NotSent(reason)) => last = said(member, &reason),
                    Err(Failure::NoAnswer(reason)) => {
                        worth_asking_again = true;
                        last = said(member, &reason);
                    }
                    Err(other) => return Err(other),
                }
            }
            if !worth_asking_again || Instant::now() >= give_up {
                return Err(Failure::NotSent(last));
            }
            sleep(PAUSE).await;
        }
    }

    /// Performs a request that changes something: on the first endpoint that can be connected to,
    /// and nowhere else once it was sent.
    ///
    /// # Errors
    /// Any. After [`Failure::NoAnswer`] another endpoint is asked first.
    pub(super) async fn send<T, F, R>(&self, request: F) -> Result<T, Failure>
    where
        F: Fn(Clients) -> R + Sync,
        R: Future<Output = Result<T, etcd::Error>> + Send,
    {
        let mut last = String::new();
        for (place, member) in self.in_order() {
            match self.attempt(member, &request).await {
                Ok(answer) => {
                    self.preferred.store(place, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(Failure::NotSent(reason)) => last = said(member, &reason),
                Err(Failure::NoAnswer(reason)) => {
                    self.preferred.store(place + 1, Ordering::Relaxed);
                    return Err(Failure::NoAnswer(said(member, &reason)));
                }
                Err(other) => return Err(other),
            }
        }
        Err(Failure::NotSent(last))
    }

    /// What a failure is to the caller.
    pub(super) fn error(&self, failure: Failure) -> StoreError {
        let store = self.settings.store.clone();
        match failure {
            Failure::NotSent(reason) => StoreError::Unavailable { store, reason },
            Failure::NoAnswer(reason) => StoreError::OutcomeUnknown { store, reason },
            Failure::TooLarge(reason) => StoreError::Rejected { store, reason },
            Failure::Compacted => StoreError::Compacted { store },
            Failure::Final(error) => error,
        }
    }

    fn in_order(&self) -> impl Iterator<Item = (usize, &Member)> {
        let count = self.members.len();
        let first = self
            .preferred
            .load(Ordering::Relaxed)
            .checked_rem(count)
            .unwrap_or(0);
        self.members
            .iter()
            .enumerate()
            .cycle()
            .skip(first)
            .take(count)
    }

    /// One request on one endpoint, within the deadline.
    async fn attempt<T, F, R>(&self, member: &Member, request: &F) -> Result<T, Failure>
    where
        F: Fn(Clients) -> R + Sync,
        R: Future<Output = Result<T, etcd::Error>> + Send,
    {
        let limit = self.settings.timeout;
        let deadline = Instant::now() + limit;
        let clients = timeout_at(deadline, member.clients(&self.settings))
            .await
            .map_err(|_elapsed| Failure::NotSent(format!("no connection within {limit:?}")))??;
        let failure = match timeout_at(deadline, request(clients)).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => classify(&self.settings.store, error),
            Err(_elapsed) => Failure::NoAnswer(format!("no answer within {limit:?}")),
        };
        if matches!(failure, Failure::NotSent(_) | Failure::NoAnswer(_)) {
            debug!(endpoint = member.url, ?failure, "request failed");
            member.forget().await;
        }
        Err(failure)
    }
}

fn said(member: &Member, reason: &str) -> String {
    format!("{}: {reason}", member.url)
}
