//! What an error of the client library means for the request.

use std::error::Error;

use etcd_client as etcd;
use tonic::{Code, ConnectError, Status};

use crate::StoreError;

/// Why one endpoint gave no answer to one request.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request certainly did not reach the cluster.
    NotSent(String),
    /// The exchange broke or took too long: the request may have been performed.
    NoAnswer(String),
    /// The answer is larger than the client takes.
    TooLarge(String),
    /// The revision asked for is no longer kept.
    Compacted,
    /// The cluster has decided; asking again will not help.
    Final(StoreError),
}

/// Sorts out what `error` means; `store` is the store's name.
pub(super) fn classify(store: &str, error: etcd::Error) -> Failure {
    match error {
        etcd::Error::GRpcStatus(status) => classify_status(store, &status),
        etcd::Error::TransportError(error) => Failure::NoAnswer(chain(&error)),
        etcd::Error::InvalidArgs(reason) => rejected(store, reason),
        other => Failure::NoAnswer(other.to_string()),
    }
}

/// An error and its causes in one line, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !said.contains(&words) {
            said = format!("{said}: {words}");
        }
        next = cause.source();
    }
    said
}

fn classify_status(store: &str, status: &Status) -> Failure {
    let causes = status.source().map(chain).unwrap_or_default();
    if has_connect_error(status) {
        return Failure::NotSent(causes);
    }
    // The server ended the TLS handshake: it did not look at the request.
    if causes.contains("received fatal alert") {
        return rejected(store, causes);
    }
    let message = status.message();
    match status.code() {
        Code::ResourceExhausted if message.contains("space exceeded") => {
            let (store, reason) = (store.to_owned(), message.to_owned());
            Failure::Final(StoreError::Full { store, reason })
        }
        // Said before anything is proposed to the cluster.
        Code::ResourceExhausted if message.contains("too many requests") => {
            Failure::NotSent(message.to_owned())
        }
        Code::OutOfRange if message.contains("compacted") => Failure::Compacted,
        Code::OutOfRange if message.contains("too large") => Failure::TooLarge(message.to_owned()),
        Code::InvalidArgument
        | Code::PermissionDenied
        | Code::Unauthenticated
        | Code::FailedPrecondition
        | Code::ResourceExhausted
        | Code::OutOfRange
        | Code::NotFound
        | Code::AlreadyExists
        | Code::Unimplemented => rejected(store, message.to_owned()),
        // Among them "no leader", "leader changed" and "request timed out": the cluster itself
        // does not say whether the proposal will go through.
        Code::Unavailable
        | Code::Unknown
        | Code::Internal
        | Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::DataLoss
        | Code::Ok => Failure::NoAnswer(describe(status, &causes)),
    }
}

/// The causes say more than "transport error", and repeat it.
fn describe(status: &Status, causes: &str) -> String {
    match causes {
        "" => status.message().to_owned(),
        causes => causes.to_owned(),
    }
}

fn rejected(store: &str, reason: String) -> Failure {
    Failure::Final(StoreError::Rejected {
        store: store.to_owned(),
        reason,
    })
}

fn has_connect_error(status: &Status) -> bool {
    let mut next = status.source();
    while let Some(cause) = next {
        if cause.is::<ConnectError>() {
            return true;
        }
        next = cause.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(code: Code, message: &str) -> &'static str {
        match classify("s", Status::new(code, message).into()) {
            Failure::NotSent(_) => "not sent",
            Failure::NoAnswer(_) => "no answer",
            Failure::TooLarge(_) => "too large",
            Failure::Compacted => "compacted",
            Failure::Final(StoreError::Full { .. }) => "full",
            Failure::Final(StoreError::Rejected { .. }) => "rejected",
            Failure::Final(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_etcd_says_is_understood() {
        let cases = [
            (
                Code::ResourceExhausted,
                "etcdserver: mvcc: database space exceeded",
                "full",
            ),
            (
                Code::ResourceExhausted,
                "etcdserver: too many requests",
                "not sent",
            ),
            (
                Code::InvalidArgument,
                "etcdserver: request is too large",
                "rejected",
            ),
            (
                Code::InvalidArgument,
                "etcdserver: duplicate key given in txn request",
                "rejected",
            ),
            (
                Code::PermissionDenied,
                "etcdserver: permission denied",
                "rejected",
            ),
            (
                Code::Unauthenticated,
                "etcdserver: invalid auth token",
                "rejected",
            ),
            (Code::Unavailable, "etcdserver: no leader", "no answer"),
            (Code::Unavailable, "etcdserver: leader changed", "no answer"),
            (
                Code::Unavailable,
                "etcdserver: request timed out",
                "no answer",
            ),
            (
                Code::OutOfRange,
                "etcdserver: mvcc: required revision has been compacted",
                "compacted",
            ),
            (
                Code::OutOfRange,
                "Error, decoded message length too large: found 5 bytes, the limit is: 4 bytes",
                "too large",
            ),
        ];
        for (code, message, expected) in cases {
            assert_eq!(class(code, message), expected, "case: {message}");
        }
    }
}
