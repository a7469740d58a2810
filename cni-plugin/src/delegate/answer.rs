//! What another IPAM plugin printed, read. Pure.

use std::net::IpAddr;

use berth_types::Family;
use ipnetwork::IpNetwork;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::spec::{CniError, Code, Dns, RouteEntry};

/// The versions whose results list addresses as `ips`.
const VERSIONS: [&str; 5] = ["0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"];

/// What it gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// At least one address.
    pub addresses: Vec<Assigned>,
    /// The routes to be set, each with its next hop.
    pub routes: Vec<RouteEntry>,
    /// Name servers.
    pub dns: Dns,
}

/// One address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assigned {
    /// With the prefix length of its subnet.
    pub cidr: IpNetwork,
    /// The subnet's gateway; a route leads there only where the answer lists one.
    pub gateway: Option<IpAddr>,
}

/// An error object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct ErrorObject {
    pub(super) code: u32,
    #[serde(default)]
    pub(super) msg: String,
    #[serde(default)]
    pub(super) details: String,
}

/// The error object of a plugin that failed; `None` for something else.
pub(super) fn error(stdout: &[u8]) -> Option<ErrorObject> {
    let object: ErrorObject = serde_json::from_slice(stdout).ok()?;
    (object.code != 0).then_some(object)
}

/// A result, as far as an IPAM plugin's matters: its interfaces are not its own.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Printed {
    #[serde(default)]
    cni_version: String,
    #[serde(default)]
    ips: Option<Vec<PrintedIp>>,
    #[serde(default)]
    routes: Option<Vec<PrintedRoute>>,
    #[serde(default)]
    dns: Option<Dns>,
}

#[derive(Deserialize)]
struct PrintedIp {
    address: IpNetwork,
    #[serde(default)]
    gateway: Option<IpAddr>,
}

#[derive(Deserialize)]
struct PrintedRoute {
    dst: IpNetwork,
    #[serde(default)]
    gw: Option<IpAddr>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Answer {
    /// Reads the result of an ADD, of any version from 0.3.0 on.
    ///
    /// # Errors
    /// Code 6 for what is no result, or has no address; 1 for another version; 7 for addresses and
    /// routes that no interface here can be given.
    pub(super) fn parse(stdout: &[u8]) -> Result<Self, CniError> {
        let printed = serde_json::from_slice::<Printed>(stdout)
            .map_err(|error| CniError::new(Code::Decode, format!("the result of IPAM: {error}")))?;
        let Printed {
            cni_version: version,
            ips,
            routes,
            dns,
        } = printed;
        if !VERSIONS.contains(&version.as_str()) {
            let message = format!("the result of IPAM is of version {version:?}");
            return Err(CniError::new(Code::IncompatibleVersion, message)
                .details(format!("read are results of {}", VERSIONS.join(", "))));
        }
        let ips = ips.unwrap_or_default();
        let addresses: Vec<_> = ips
            .iter()
            .map(PrintedIp::checked)
            .collect::<Result<_, _>>()?;
        if addresses.is_empty() {
            return Err(CniError::new(
                Code::Decode,
                "the result of IPAM has no address",
            ));
        }
        let routes = routes.unwrap_or_default();
        let routes = routes.iter().map(|route| route.checked(&addresses));
        Ok(Self {
            routes: routes.collect::<Result<_, _>>()?,
            addresses,
            dns: dns.unwrap_or_default(),
        })
    }
}

impl PrintedIp {
    fn checked(&self) -> Result<Assigned, CniError> {
        let Self { address, gateway } = *self;
        let ip = address.ip();
        let unfit = ip.is_unspecified() || ip.is_multicast() || ip.is_loopback();
        let other_family = gateway.is_some_and(|gateway| gateway.is_ipv4() != ip.is_ipv4());
        if unfit || other_family || address.prefix() == 0 {
            let gateway = gateway.map_or_else(String::new, |gateway| format!(" behind {gateway}"));
            let remedy = "IPAM has to give an interface's own address, and a gateway of its family";
            let value = format!("{address}{gateway}");
            return Err(CniError::field("the result of IPAM: ips", value, remedy));
        }
        Ok(Assigned {
            cidr: address,
            gateway,
        })
    }
}

impl PrintedRoute {
    /// The route with its next hop: the gateway of the first address of its family, where it names
    /// none itself.
    fn checked(&self, addresses: &[Assigned]) -> Result<RouteEntry, CniError> {
        let Self { dst, gw, more } = self;
        let wrong = |remedy| CniError::field("the result of IPAM: routes", dst, remedy);
        if let Some((field, value)) = more.iter().find(|(_, value)| !value.is_null()) {
            let remedy = format!("a route's {field:?}, here {value}, is not served: leave it out");
            return Err(wrong(&remedy));
        }
        let family = Family::of(dst.ip());
        let mut by_default = addresses
            .iter()
            .filter(|a| Family::of(a.cidr.ip()) == family);
        let gw = gw.or_else(|| by_default.find_map(|a| a.gateway));
        if gw.is_none_or(|gw| Family::of(gw) != family) {
            return Err(wrong("it needs a gateway of its family"));
        }
        // A kernel takes no bits of a host in a destination.
        let network = IpNetwork::new(dst.network(), dst.prefix());
        let dst = network.map_err(|_prefix| wrong("use a subnet"))?;
        Ok(RouteEntry { dst, gw })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(result: &Value) -> Result<Answer, CniError> {
        Answer::parse(result.to_string().as_bytes())
    }

    #[test]
    fn results_of_every_version_from_0_3_0_on_say_the_same() {
        for version in VERSIONS {
            let mut result = json!({
                "cniVersion": version,
                "ips": [
                    {"address": "10.9.0.7/24", "gateway": "10.9.0.1", "interface": 0},
                    {"address": "2001:db8::7/64", "gateway": "2001:db8::1"},
                ],
                "routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.8.0.0/16", "gw": "10.9.0.2"}, {"dst": "::/0"}],
                "dns": {"nameservers": ["10.0.0.53"], "search": null},
            });
            if version < "1.0.0" {
                result["ips"][0]["version"] = json!("4");
            }
            let Answer {
                addresses,
                routes,
                dns,
            } = parse(&result).unwrap();
            let addresses: Vec<_> = addresses.iter().map(|a| a.cidr.to_string()).collect();
            assert_eq!(
                addresses,
                ["10.9.0.7/24", "2001:db8::7/64"],
                "case: {version}"
            );
            let hops: Vec<_> = routes.iter().map(|r| r.gw.unwrap().to_string()).collect();
            assert_eq!(
                hops,
                ["10.9.0.1", "10.9.0.2", "2001:db8::1"],
                "case: {version}"
            );
            assert_eq!(dns.nameservers, ["10.0.0.53"]);
        }
    }

    #[test]
    fn a_gateway_alone_is_no_route() {
        let result = json!({"cniVersion": "1.0.0", "ips": [{"address": "10.9.0.7/24", "gateway": "10.9.0.1"}]});
        assert_eq!(parse(&result).unwrap().routes, []);
    }

    #[test]
    fn what_is_no_result_or_cannot_be_used_is_told_apart() {
        let with = |field: &str, value: Value| {
            let mut result = json!({"cniVersion": "1.0.0", "ips": [{"address": "10.9.0.7/24"}]});
            result[field] = value;
            parse(&result).unwrap_err().code()
        };
        for old in ["0.1.0", "0.2.0", "9.9.9", ""] {
            assert_eq!(
                with("cniVersion", json!(old)),
                Code::IncompatibleVersion,
                "case: {old}"
            );
        }
        for none in [
            json!(null),
            json!([]),
            json!("x"),
            json!([{}]),
            json!([{"address": "x"}]),
        ] {
            assert_eq!(with("ips", none.clone()), Code::Decode, "case: {none}");
        }
        for unfit in [
            "0.0.0.0/8",
            "224.0.0.1/24",
            "127.0.0.1/8",
            "::/64",
            "ff02::1/64",
        ] {
            let ips = json!([{"address": unfit}]);
            assert_eq!(with("ips", ips), Code::InvalidConfig, "case: {unfit}");
        }
        for route in [
            json!({"dst": "0.0.0.0/0"}),
            json!({"dst": "::/0", "gw": "10.9.0.1"}),
            json!({"dst": "0.0.0.0/0", "gw": "10.9.0.1", "table": 7}),
        ] {
            assert_eq!(
                with("routes", json!([route])),
                Code::InvalidConfig,
                "case: {route}"
            );
        }
        assert_eq!(Answer::parse(b"no JSON").unwrap_err().code(), Code::Decode);
    }

    #[test]
    fn an_error_object_is_told_from_anything_else() {
        assert!(error(br#"{"code": 11, "msg": "later"}"#).is_some());
        for other in [
            "",
            "{}",
            "11",
            r#"{"code": 0}"#,
            r#"{"code": -1}"#,
            r#"{"ips": []}"#,
        ] {
            assert_eq!(error(other.as_bytes()), None, "case: {other}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(bytes: Vec<u8>, address in "[0-9a-f.:/]{0,20}") {
            drop(Answer::parse(&bytes));
            drop(error(&bytes));
            let result = json!({
                "cniVersion": "1.0.0", "ips": [{"address": address}],
                "routes": [{"dst": address, "gw": address}],
            });
            drop(parse(&result));
        }
    }
}
