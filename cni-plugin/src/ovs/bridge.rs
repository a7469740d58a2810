//! Ports of a bridge: looked at, removed.

use std::path::Path;
use std::time::Duration;

use berth_types::{AttachmentId, LocalPort, VlanId};
use serde_json::Value;

use super::client::{Client, OvsdbError, PATIENCE};
use super::port::{self, SeenPort};
use crate::spec::{CniError, Code};

/// The lock that `ovs-vswitchd` has while it runs.
const SWITCH: &str = "ovs_vswitchd";

/// Removes all ports of an attachment. None, or only somebody else's, is as good.
///
/// # Errors
/// [`OvsdbError`]: some may still be there.
pub fn remove(socket: &Path, id: &AttachmentId) -> Result<(), OvsdbError> {
    remove_if(socket, PATIENCE, id, || true)
}

/// The same, unless `still` says after the look that they are not to go any more.
pub(super) fn remove_if(
    socket: &Path,
    patience: Duration,
    id: &AttachmentId,
    still: impl FnOnce() -> bool,
) -> Result<(), OvsdbError> {
    let mut client = Client::connect_for(socket, patience)?;
    let found = find(&mut client, port::find_operation(id))?;
    if still() {
        remove_seen(&mut client, &found)
    } else {
        Ok(())
    }
}

pub(super) fn remove_seen(client: &mut Client, ports: &[SeenPort]) -> Result<(), OvsdbError> {
    if ports.is_empty() {
        return Ok(());
    }
    let results = client.transact(&port::remove_operations(ports), Duration::ZERO)?;
    succeeded(&results)
}

/// Whether the port of an attachment is as it was made.
///
/// # Errors
/// What is wrong with it, as the end of a sentence; [`OvsdbError`] when that cannot be told.
pub fn check(
    port: &LocalPort,
    id: &AttachmentId,
    vlan: Option<VlanId>,
) -> Result<Result<(), String>, OvsdbError> {
    let look = port::look_operation(port.name.as_str());
    let seen = find(&mut Client::connect(&port.socket)?, look)?.pop();
    let (name, bridge) = (&port.name, &port.bridge);
    let tag = vlan.map(|vlan| u64::from(u16::from(vlan)));
    Ok(match seen {
        None => Err(format!("has no port {name} on bridge {bridge}")),
        Some(seen) if seen.attachment != Some(id.to_string()) => {
            Err(format!("has lost port {name} to somebody else"))
        }
        Some(seen) if seen.tag != tag => {
            let shown = |tag: Option<u64>| tag.map_or("none".to_owned(), |tag| tag.to_string());
            let (is, was) = (shown(seen.tag), shown(tag));
            Err(format!("has port {name} in VLAN {is} instead of {was}"))
        }
        Some(_) => Ok(()),
    })
}

/// Whether OVSDB answers, within `patience`, and `ovs-vswitchd` is there: while it is, it has a lock
/// of the database for itself alone. One that hangs has it too.
///
/// # Errors
/// Code 11, or as [`OvsdbError`].
pub fn serves(socket: &Path, patience: Duration) -> Result<(), CniError> {
    if !Client::connect_for(socket, patience)?.is_unlocked(SWITCH)? {
        return Ok(());
    }
    let message = format!("ovs-vswitchd is not at the database {}", socket.display());
    Err(CniError::new(Code::TryAgain, message)
        .details("start it, or wait until it comes back to its database: ovs-vsctl show"))
}

fn find(client: &mut Client, operation: Value) -> Result<Vec<SeenPort>, OvsdbError> {
    let results = client.transact(&[operation], Duration::ZERO)?;
    succeeded(&results)?;
    Ok(port::seen(&results, 0))
}

pub(super) fn succeeded(results: &[Value]) -> Result<(), OvsdbError> {
    match port::refusal(results) {
        None => Ok(()),
        Some(words) => Err(OvsdbError::Refused(words.into())),
    }
}

impl From<OvsdbError> for CniError {
    fn from(error: OvsdbError) -> Self {
        let (code, remedy) = match &error {
            OvsdbError::Away { .. } => (
                Code::TryAgain,
                "check that ovsdb-server runs, and that \"ovsdb\" in the configuration names its socket",
            ),
            OvsdbError::Silent { .. } => (
                Code::TryAgain,
                "check that ovsdb-server is healthy: ovs-vsctl show",
            ),
            OvsdbError::Malformed { .. } => (
                Code::Internal,
                "\"ovsdb\" in the configuration has to name OVSDB's socket",
            ),
            OvsdbError::Refused(_) => (Code::Internal, "see ovsdb-server's log"),
        };
        Self::new(code, error.to_string()).details(remedy)
    }
}
