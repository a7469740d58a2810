//! STATUS: from what the node knows, at once, so that a store that is away does not take every
//! node out of service.

use std::time::Duration;

use berth_ipam::uptime_ms;
use berth_store::{Read, Store as _};
use berth_types::{IfName, keys};

use super::allocator::Allocator;
use crate::delegate::Delegate;
use crate::files::RunFiles;
use crate::host::{Link, Netlink};
use crate::ovs::bridge;
use crate::spec::{
    CniError, Code, Config, Driver, Invocation, IpamConfig, MainConfig, OvsConfig, Verb,
};

/// How long the store may be away before the node says that it cannot serve.
const TOLERATED_MS: u64 = 120_000;
/// How long the store is asked whether it is back, and a switch's database whether it is there.
const PROBE: Duration = Duration::from_millis(400);

/// Whether an ADD could be served.
///
/// # Errors
/// Code 50, saying what is missing; another IPAM plugin's own.
pub fn status(call: &Invocation, config: &MainConfig) -> Result<String, CniError> {
    let MainConfig {
        common: config,
        link,
    } = config;
    driver_status(&link.driver).map_err(|error| error.with_code(Code::NotAvailable))?;
    match &config.ipam {
        IpamConfig::Own(_) => store_status(config, &RunFiles::new(&config.run_dir)),
        IpamConfig::Other(other) => {
            let Some(path) = call.path.as_deref() else {
                // The specification leaves it out of STATUS: nobody can be asked.
                return Ok(String::new());
            };
            let delegate = Delegate::find(config, other, Some(path));
            let delegate = delegate.map_err(|error| error.with_code(Code::NotAvailable))?;
            delegate.pass_on(Verb::Status).map(|()| String::new())
        }
    }
}

/// Whether the node has what the driver builds on.
fn driver_status(driver: &Driver) -> Result<(), CniError> {
    match driver {
        Driver::Macvlan(macvlan) => find_master(&mut Netlink::open()?, &macvlan.master).map(drop),
        Driver::Ovs(OvsConfig { bridge, socket }) => {
            find_bridge(&mut Netlink::open()?, bridge)?;
            Ok(bridge::answers(socket, PROBE)?)
        }
    }
}

/// Whether the store could serve an ADD, as far as the node knows from `files`.
///
/// # Errors
/// Code 50, when it has been away for long.
pub(super) fn store_status(config: &Config, files: &RunFiles) -> Result<String, CniError> {
    let Some(since) = files.store_away_since() else {
        return Ok(String::new());
    };
    let away_for = uptime_ms().saturating_sub(since);
    if away_for < TOLERATED_MS {
        return Ok(String::new());
    }
    // Nobody else may call this node any more, so it has to find out by itself.
    let allocator = Allocator::open(config).map_err(|error| error.with_code(Code::NotAvailable))?;
    let reads = [Read::Get(keys::CLOSED.into())];
    let probe = async { tokio::time::timeout(PROBE, allocator.ipam.store().read(&reads)).await };
    if let Ok(Ok(_)) = allocator.wait(probe) {
        files.note_store_back();
        return Ok(String::new());
    }
    let message = format!("the store is away for {} s", away_for / 1000);
    Err(CniError::new(Code::NotAvailable, message)
        .details("check that the store's endpoints are reachable from this node and healthy"))
}

/// The link that a bridge of Open vSwitch has under its name on the node; up or down, it switches.
pub(super) fn find_bridge(netlink: &mut Netlink, name: &IfName) -> Result<Link, CniError> {
    let missing = || {
        let remedy = "name a bridge that `ovs-vsctl list-br` lists on this node";
        CniError::field("bridge", name, remedy)
    };
    netlink.link_by_name(name)?.ok_or_else(missing)
}

/// The first of the configured masters that exists, which must be up.
pub(super) fn find_master(netlink: &mut Netlink, names: &[IfName]) -> Result<Link, CniError> {
    for name in names {
        match netlink.link_by_name(name)? {
            Some(link) if link.up => return Ok(link),
            Some(link) => {
                let message = format!("master: {:?} is down", link.name);
                return Err(CniError::new(Code::TryAgain, message)
                    .details(format!("bring it up: ip link set {} up", link.name)));
            }
            None => {}
        }
    }
    let names: Vec<_> = names
        .iter()
        .map(|name| format!("{:?}", name.as_str()))
        .collect();
    let remedy = "name an interface of this node; `ip link` shows them";
    Err(CniError::field("master", names.join(", "), remedy).details("it does not exist here"))
}
