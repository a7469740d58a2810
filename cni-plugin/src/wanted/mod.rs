//! What one ADD is to bring about: configuration, arguments and annotations, resolved.

#[cfg(test)]
mod tests;
mod wish;

use berth_types::{AttachmentId, MacAddr, NodeName};

use crate::bandwidth::{self, Limits};
use crate::spec::{CniError, Config, Invocation};
pub use wish::Wish;
use wish::annotation;

/// Everything an ADD wants, free of contradictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What it asks of IPAM.
    pub wish: Wish,
    /// The hardware address asked for; derived from the address when absent.
    pub mac: Option<MacAddr>,
    /// The limits on its traffic.
    pub limits: Limits,
    /// What its traffic is summed up by.
    pub workload: Option<String>,
}

/// The annotation that names the hardware address.
const MAC: &str = "berth.dev/mac";
/// The annotation that names what the pod's traffic is summed up by.
const WORKLOAD: &str = "berth.dev/workload";
/// The longest such name: as long as any of Kubernetes.
const LONGEST_WORKLOAD: usize = 253;

impl Wanted {
    /// Resolves what is wanted of the whole interface.
    ///
    /// # Errors
    /// As [`Wish::new`]; code 7 for a hardware address or a limit that cannot be.
    pub fn new(call: &Invocation, config: &Config) -> Result<Self, CniError> {
        let limits = bandwidth::asked(
            config.runtime.bandwidth.as_ref(),
            &config.runtime.annotations,
        )?;
        let wish = Wish::new(call, config)?;
        let macs = [
            (MAC, annotation(config, MAC)),
            ("runtimeConfig.mac", config.runtime.mac.as_deref()),
            ("CNI_ARGS MAC", call.args.mac.as_deref()),
        ];
        let mac = macs
            .into_iter()
            .find_map(|(place, raw)| Some((place, raw?)));
        let mac = mac.map(|(place, raw)| parse_mac(place, raw)).transpose()?;
        let workload = annotation(config, WORKLOAD).map(workload).transpose()?;
        Ok(Self {
            wish,
            mac,
            limits,
            workload,
        })
    }
}

fn workload(raw: &str) -> Result<String, CniError> {
    let fits = matches!(raw.len(), 1..=LONGEST_WORKLOAD) && !raw.contains(char::is_control);
    if fits {
        return Ok(raw.to_owned());
    }
    let remedy = "1 to 253 bytes without control characters";
    Err(CniError::field(WORKLOAD, format!("{raw:?}"), remedy))
}

fn parse_mac(place: &str, raw: &str) -> Result<MacAddr, CniError> {
    raw.parse().map_err(|error: berth_types::InvalidMac| {
        CniError::field(place, format!("{raw:?}"), error.rule)
    })
}

/// The attachment that a call is about.
///
/// # Errors
/// Code 4 for a call without container or interface, 7 for a node without a usable name.
pub fn attachment(call: &Invocation, config: &Config) -> Result<AttachmentId, CniError> {
    Ok(AttachmentId {
        node: node_name(config)?,
        network: config.name.clone(),
        container: call.container()?.clone(),
        ifname: call.ifname()?.clone(),
    })
}

/// The node's name: configured, or the host's.
///
/// # Errors
/// Code 7 when the host has no name that can be used.
pub fn node_name(config: &Config) -> Result<NodeName, CniError> {
    if let Some(name) = &config.node {
        return Ok(name.clone());
    }
    let host = nix::unistd::gethostname().unwrap_or_default();
    let host = host.to_string_lossy();
    host.parse().map_err(|_name| {
        let remedy =
            "the host's name cannot be used as the node's: set \"node\" in the configuration";
        CniError::field("node", format!("{host:?}"), remedy)
    })
}
