//! Ports of a bridge: made, awaited, looked at, removed.

use std::path::Path;
use std::time::Duration;

use berth_types::{AttachmentId, LocalPort, VlanId};
use serde_json::Value;

use super::client::{Client, OvsdbError, PATIENCE};
use super::port::{self, Applied, Made, NewPort, SeenPort};
use crate::spec::{CniError, Code};

/// How long `ovs-vswitchd` has to take a port up. It takes 2 ms.
const APPLYING: Duration = Duration::from_secs(5);

/// Puts the port into the database. Ports that earlier lives of the attachment left go: of one
/// container's interface only one life is to be heard.
///
/// # Errors
/// Code 7 without such a bridge or with a hardware address asked for that is another's, 11 with OVSDB away or the port's name another's, 999.
pub fn add(client: &mut Client, new: &NewPort) -> Result<(), CniError> {
    let results = client.transact(&new.operations(), Duration::ZERO)?;
    match port::made(&results) {
        Made::Yes => Ok(remove_seen(client, &port::leftovers(&results))?),
        Made::NoBridge => {
            let remedy = "name a bridge that `ovs-vsctl list-br` lists on this node";
            Err(CniError::field("bridge", &new.port.bridge, remedy))
        }
        Made::NameTaken => {
            let name = &new.port.name;
            let message = format!("port {name} exists, and is not of {}", new.attachment);
            Err(CniError::new(Code::TryAgain, message)
                .details(format!("see whose it is: ovs-vsctl list port {name}")))
        }
        Made::MacTaken => {
            let remedy = "another port of this node has it: ask for another";
            Err(CniError::field("mac", new.mac, remedy))
        }
        Made::Refused(words) => Err(refused(&words)),
    }
}

/// Waits until `ovs-vswitchd` switches the port's frames.
///
/// # Errors
/// Code 11 when it does not in time, 999 with its words when it cannot.
pub fn wait_applied(port: &LocalPort) -> Result<(), CniError> {
    let name = port.name.as_str();
    let timeout_ms = u64::try_from(APPLYING.as_millis()).unwrap_or(u64::MAX);
    let operations = port::applied_operations(name, timeout_ms);
    let results = Client::connect(&port.socket)?.transact(&operations, APPLYING)?;
    match port::applied(&results) {
        Applied::Yes => Ok(()),
        Applied::NotYet => {
            let message = format!("ovs-vswitchd did not take port {name} up within {APPLYING:?}");
            Err(CniError::new(Code::TryAgain, message)
                .details("check that ovs-vswitchd runs and answers: ovs-appctl version"))
        }
        Applied::Refused(words) => {
            let message = format!("ovs-vswitchd cannot take port {name} up: {words}");
            Err(CniError::new(Code::Internal, message).details("see ovs-vswitchd's log"))
        }
        Applied::Gone => {
            let message = format!("port {name} was removed by somebody else");
            Err(CniError::new(Code::TryAgain, message)
                .details("another program manages this bridge's ports: keep it from berth's"))
        }
    }
}

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

fn remove_seen(client: &mut Client, ports: &[SeenPort]) -> Result<(), OvsdbError> {
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

/// Whether OVSDB answers, within `patience`.
///
/// # Errors
/// [`OvsdbError`].
pub fn answers(socket: &Path, patience: Duration) -> Result<(), OvsdbError> {
    Client::connect_for(socket, patience)?.echo()
}

fn find(client: &mut Client, operation: Value) -> Result<Vec<SeenPort>, OvsdbError> {
    let results = client.transact(&[operation], Duration::ZERO)?;
    succeeded(&results)?;
    Ok(port::seen(&results, 0))
}

fn succeeded(results: &[Value]) -> Result<(), OvsdbError> {
    match port::refusal(results) {
        None => Ok(()),
        Some(words) => Err(OvsdbError::Refused(words.into())),
    }
}

fn refused(words: &str) -> CniError {
    CniError::new(Code::Internal, format!("OVSDB refused the port: {words}"))
        .details("see ovsdb-server's log")
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
