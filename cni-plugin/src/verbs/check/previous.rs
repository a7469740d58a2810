//! The result of the ADD, as the runtime passes it or as the node wrote it down.

use std::net::IpAddr;

use berth_types::{AttachmentId, LocalAddress, LocalAttachment};
use ipnetwork::IpNetwork;
use serde::Deserialize;

use crate::files::RunFiles;
use crate::spec::{CniError, Code, Config};

/// What CHECK reads of `prevResult`; others may have added more.
#[derive(Deserialize)]
pub(in crate::verbs) struct Previous {
    #[serde(default)]
    interfaces: Vec<PreviousInterface>,
    #[serde(default)]
    ips: Vec<PreviousIp>,
    #[serde(default)]
    pub(super) routes: Vec<PreviousRoute>,
}

#[derive(Clone, Deserialize)]
pub(super) struct PreviousRoute {
    #[serde(default)]
    pub(super) gw: Option<IpAddr>,
}

#[derive(Deserialize)]
struct PreviousInterface {
    name: String,
    #[serde(default)]
    sandbox: String,
}

#[derive(Deserialize)]
pub(in crate::verbs) struct PreviousIp {
    pub(super) address: IpNetwork,
    #[serde(default)]
    pub(super) gateway: Option<IpAddr>,
    #[serde(default)]
    pub(super) interface: Option<usize>,
}

impl Previous {
    /// The result that the call brings.
    ///
    /// # Errors
    /// Code 7 when there is none, or it is no result.
    pub(in crate::verbs) fn of(config: &Config) -> Result<Self, CniError> {
        let remedy = "pass the result of the ADD, as the specification says";
        let given = config.prev_result.clone();
        let given = given.ok_or_else(|| CniError::field("prevResult", "null", remedy))?;
        serde_json::from_value(given).map_err(|error| {
            CniError::new(Code::InvalidConfig, format!("prevResult: {error}")).details(remedy)
        })
    }

    /// The addresses of that interface in the container.
    pub(in crate::verbs) fn of_interface(self, ifname: &str) -> Vec<PreviousIp> {
        let Self {
            interfaces,
            ips,
            routes: _,
        } = self;
        let named = |ip: &PreviousIp| {
            let interface = ip.interface.and_then(|index| interfaces.get(index));
            interface.is_some_and(|i| i.name == ifname && !i.sandbox.is_empty())
        };
        ips.into_iter().filter(named).collect()
    }
}

/// What this node wrote down of the attachment.
pub(in crate::verbs) fn recorded(files: &RunFiles, id: &AttachmentId) -> Option<LocalAttachment> {
    files.record_of(id)
}

/// The addresses of a record.
pub(in crate::verbs) fn recorded_ips(record: Option<&LocalAttachment>) -> Vec<PreviousIp> {
    let addresses = record.map(|record| record.addresses.clone());
    let addresses = addresses.unwrap_or_default();
    let as_told = |address: LocalAddress| PreviousIp {
        address: address.cidr,
        gateway: address.gateway,
        interface: None,
    };
    addresses.into_iter().map(as_told).collect()
}

/// The routes of a record.
pub(super) fn recorded_routes(record: Option<&LocalAttachment>) -> Vec<PreviousRoute> {
    let result = record.map(|record| Previous::deserialize(&record.result));
    let result = result.and_then(Result::ok);
    result.map(|result| result.routes).unwrap_or_default()
}
