//! STATUS: from what the node knows, at once, so that a store that is away does not take every
//! node out of service.

use std::time::Duration;

use berth_ipam::uptime_ms;
use berth_store::{Read, Store as _};
use berth_types::keys;

use super::allocator::Allocator;
use crate::delegate::Delegate;
use crate::files::RunFiles;
use crate::host::Netlink;
use crate::ovs::bridge;
use crate::plan;
use crate::spec::{CniError, Code, Config, Driver, Invocation, IpamConfig, MainConfig, Verb};

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
        misspelt: _,
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
    let mut host = Netlink::open()?;
    plan::parent(driver, |name| host.link_by_name(name))?;
    match driver {
        Driver::Macvlan(_) => Ok(()),
        Driver::Ovs(ovs) => bridge::serves(&ovs.socket, PROBE),
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
