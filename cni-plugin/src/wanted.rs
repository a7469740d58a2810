//! What one ADD is to bring about: configuration, arguments and annotations, resolved.

use std::net::IpAddr;

use berth_types::{AttachmentId, MacAddr, NodeName, PodRef, PoolName, parse_address};
use serde_json::Value;

use crate::spec::{CniError, Code, Config, Invocation};

/// Everything an ADD wants, free of contradictions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where the address is to come from.
    pub pool: PoolName,
    /// The address asked for; any one when absent.
    pub exact: Option<IpAddr>,
    /// The hardware address asked for; derived from the address when absent.
    pub mac: Option<MacAddr>,
    /// The pod, when the runtime named one.
    pub pod: Option<PodRef>,
}

/// The annotation that names the pool.
const POOL: &str = "berth.dev/pool";
/// The annotation that names the address.
const ADDRESSES: &str = "berth.dev/addresses";
/// The annotation that names the hardware address.
const MAC: &str = "berth.dev/mac";
/// Annotations that a later release serves, or that ask for limits which nobody here would set.
const LATER: [&str; 4] = [
    "berth.dev/reservation",
    "berth.dev/sticky",
    "kubernetes.io/ingress-bandwidth",
    "kubernetes.io/egress-bandwidth",
];

impl Wanted {
    /// Resolves what is wanted.
    ///
    /// An address may be asked for in four places; the first that does is heard: the annotation,
    /// `runtimeConfig.ips`, `args.cni.ips`, `IP` in `CNI_ARGS` (CNI conventions: `args` wins over
    /// `CNI_ARGS`).
    ///
    /// # Errors
    /// Code 7, naming the place and the value.
    pub fn new(call: &Invocation, config: &Config) -> Result<Self, CniError> {
        refuse_chained(config)?;
        refuse_later(config)?;
        let annotation = |name| config.runtime.annotations.get(name).map(String::as_str);
        let pool = match annotation(POOL) {
            None => config.ipam.pool.clone(),
            Some(raw) => Some(raw.parse().map_err(|_name| {
                CniError::field(POOL, format!("{raw:?}"), crate::spec::POOL_NAME)
            })?),
        };
        let pool = pool.ok_or_else(|| {
            CniError::field(
                "ipam.pool",
                "null",
                "name a pool here or by the annotation berth.dev/pool",
            )
        })?;
        let listed = annotation(ADDRESSES).map(|list| list.split(',').map(str::trim).collect());
        let places: [(&str, Vec<&str>); 4] = [
            (ADDRESSES, listed.unwrap_or_default()),
            (
                "runtimeConfig.ips",
                config.runtime.ips.iter().map(String::as_str).collect(),
            ),
            (
                "args.cni.ips",
                config.args_ips.iter().map(String::as_str).collect(),
            ),
            ("CNI_ARGS IP", call.args.ip.as_deref().into_iter().collect()),
        ];
        let asked = places.into_iter().find(|(_, list)| !list.is_empty());
        let exact = asked.map(|(place, list)| exact(place, &list)).transpose()?;
        let macs = [
            (MAC, annotation(MAC)),
            ("runtimeConfig.mac", config.runtime.mac.as_deref()),
            ("CNI_ARGS MAC", call.args.mac.as_deref()),
        ];
        let mac = macs
            .into_iter()
            .find_map(|(place, raw)| Some((place, raw?)));
        let mac = mac.map(|(place, raw)| parse_mac(place, raw)).transpose()?;
        Ok(Self {
            pool,
            exact,
            mac,
            pod: pod(call),
        })
    }
}

/// The specification wants another plugin's result passed on; this one's would be all there is.
fn refuse_chained(config: &Config) -> Result<(), CniError> {
    if config.prev_result.is_none() {
        return Ok(());
    }
    let message = "prevResult: berth is the first plugin of a chain, and another went before it";
    Err(CniError::new(Code::InvalidConfig, message)
        .details("put berth first in the list \"plugins\" of the configuration"))
}

/// What a pod asks for in vain must not look as if it were granted. ADD alone refuses it: a DEL
/// has to work whatever the pod's annotations have become.
fn refuse_later(config: &Config) -> Result<(), CniError> {
    let remedy = "remove it: this release does not serve it";
    let limits = |value: &&Value| {
        value
            .as_object()
            .is_none_or(|set| !set.values().all(is_none))
    };
    if let Some(bandwidth) = config.runtime.bandwidth.as_ref().filter(limits) {
        return Err(CniError::field(
            "runtimeConfig.bandwidth",
            bandwidth,
            remedy,
        ));
    }
    let asked = |name: &&str| config.runtime.annotations.get_key_value(*name);
    LATER
        .iter()
        .find_map(asked)
        .map_or(Ok(()), |(name, value)| {
            Err(CniError::field(name, format!("{value:?}"), remedy))
        })
}

/// As the bandwidth plugin reads a limit: 0 is none.
fn is_none(limit: &Value) -> bool {
    limit.is_null() || limit.as_u64() == Some(0)
}

fn exact(place: &str, list: &[&str]) -> Result<IpAddr, CniError> {
    let [one] = list else {
        let remedy = "ask for one address: this release gives one per interface";
        return Err(CniError::field(place, format!("{list:?}"), remedy));
    };
    // A prefix length may be given, as the conventions allow; the pool's subnet decides.
    let (address, prefix) = one
        .split_once('/')
        .map_or((*one, None), |(a, p)| (a, Some(p)));
    let remedy = "write one IPv4 or IPv6 address without leading zeros";
    let wrong = || CniError::field(place, format!("{one:?}"), remedy);
    if prefix.is_some_and(|prefix| prefix.parse::<u8>().is_err()) {
        return Err(wrong());
    }
    parse_address(address).map_err(|_address| wrong())
}

fn parse_mac(place: &str, raw: &str) -> Result<MacAddr, CniError> {
    raw.parse().map_err(|error: berth_types::InvalidMac| {
        CniError::field(place, format!("{raw:?}"), error.rule)
    })
}

fn pod(call: &Invocation) -> Option<PodRef> {
    let args = &call.args;
    let field = |value: &Option<String>| value.clone().unwrap_or_default();
    let pod = PodRef {
        namespace: field(&args.namespace),
        name: field(&args.pod),
        uid: field(&args.uid),
    };
    (pod != PodRef::default()).then_some(pod)
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted(change: impl Fn(&mut Value)) -> Result<Wanted, CniError> {
        let mut config = json!({
            "cniVersion": "1.1.0", "name": "pods", "master": "uplink0",
            "ipam": {"pool": "prod", "store": {"embedded": "/var/lib/berth/ipam"}},
            "runtimeConfig": {"io.kubernetes.cri.pod-annotations": {}},
        });
        change(&mut config);
        let call = Invocation::parse(|name| {
            let value = match name {
                "CNI_COMMAND" => "ADD",
                "CNI_CONTAINERID" => "c1",
                "CNI_IFNAME" => "eth0",
                "CNI_NETNS" => "/run/netns/c1",
                _ => return None,
            };
            Some(value.to_owned())
        })?;
        Wanted::new(&call, &Config::parse(config.to_string().as_bytes())?)
    }

    #[test]
    fn an_annotation_of_a_later_release_is_refused_by_its_name() {
        for name in LATER {
            let error = wanted(|c| {
                c["runtimeConfig"]["io.kubernetes.cri.pod-annotations"][name] = json!("7M");
            });
            let error = error.unwrap_err();
            assert_eq!(error.code(), Code::InvalidConfig, "case: {name}");
            let said = error.to_string();
            assert!(said.contains(name) && said.contains("\"7M\""), "{said}");
        }
        let others = wanted(|c| {
            c["runtimeConfig"]["io.kubernetes.cri.pod-annotations"]["example.org/x"] = json!("y");
        });
        assert!(others.is_ok(), "{others:?}");
    }

    #[test]
    fn a_bandwidth_is_refused_unless_it_limits_nothing() {
        let with = |value: Value| wanted(|c| c["runtimeConfig"]["bandwidth"] = value.clone());
        for nothing in [Value::Null, json!({}), json!({"ingressRate": 0})] {
            assert!(with(nothing.clone()).is_ok(), "case: {nothing}");
        }
        let error = with(json!({"ingressRate": 1000})).unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig);
        assert!(
            error.to_string().contains("runtimeConfig.bandwidth"),
            "{error}"
        );
    }

    #[test]
    fn another_plugins_result_is_refused_rather_than_lost() {
        let with = |value: Value| wanted(|c| c["prevResult"] = value.clone());
        assert!(with(Value::Null).is_ok());
        let error = with(json!({"cniVersion": "1.1.0", "ips": []})).unwrap_err();
        assert_eq!(error.code(), Code::InvalidConfig);
        assert!(
            error.to_string().contains("first plugin of a chain"),
            "{error}"
        );
    }
}
