//! The planner, by a folder for each case: `request.json` is the configuration and the call,
//! `host.json` what is seen of the host and what the store gives, `plan.txt` the steps or the error.
//!
//! `BERTH_WRITE_PLANS=1 cargo test -p berth-cni --test plans` writes `plan.txt` anew: read the
//! difference before you commit it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "test code: whatever is unexpected must fail loudly"
)]

use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::Path;

use berth_cni::host::{Link, LinkKind, VlanTag};
use berth_cni::plan::{Fresh, Granted, Seen, Whole, routes_of, whole};
use berth_cni::spec::{CniError, Invocation, MainConfig};
use berth_cni::wanted::{Wanted, attachment};
use berth_types::{Incarnation, MacAddr, Subnet, VlanId};
use serde::Deserialize;
use serde_json::Value;

/// Fewer would mean that cases were lost.
const CASES: usize = 35;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestFile {
    config: Value,
    #[serde(default)]
    args: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostFile {
    links: Vec<LinkFile>,
    given: Vec<GivenFile>,
    /// The node's own addresses.
    #[serde(default)]
    addresses: Vec<IpAddr>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkFile {
    index: u32,
    name: String,
    #[serde(default = "ethernet")]
    mtu: u32,
    mac: Option<MacAddr>,
    #[serde(default)]
    down: bool,
    alias: Option<String>,
    /// The VLAN and the index of the parent, of a sub-interface.
    vlan: Option<(VlanId, u32)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenFile {
    address: IpAddr,
    subnet: Subnet,
    #[serde(default)]
    unproven: bool,
}

const fn ethernet() -> u32 {
    1500
}

impl LinkFile {
    fn link(self) -> Link {
        let Self {
            index,
            name,
            mtu,
            mac,
            down,
            alias,
            vlan,
        } = self;
        let group = 0;
        let tag = |(id, parent)| LinkKind::Vlan(VlanTag { id, parent, group });
        Link {
            index,
            name,
            mtu,
            mac,
            up: !down,
            kind: vlan.map_or(LinkKind::Other, tag),
            alias,
        }
    }
}

fn granted(given: &[GivenFile], fresh: &Fresh) -> Granted {
    let first = given.iter().map(|given| given.address).min();
    let derived = || MacAddr::of_address(first.expect("an address"));
    let doubtful = given.iter().filter(|given| given.unproven);
    let addresses = given.iter().map(|g| (g.address, g.subnet.clone()));
    Granted {
        routes: given.iter().flat_map(|g| routes_of(&g.subnet)).collect(),
        addresses: addresses.collect(),
        doubtful: doubtful.map(|given| given.address).collect(),
        mac: fresh.mac.unwrap_or_else(derived),
    }
}

fn plan(request: &RequestFile, host: HostFile) -> Result<Whole, CniError> {
    let RequestFile { config, args } = request;
    let config = MainConfig::parse(config.to_string().as_bytes())?;
    let call = Invocation::parse(|name| {
        let value = match name {
            "CNI_COMMAND" => "ADD",
            "CNI_CONTAINERID" => "0f3a",
            "CNI_NETNS" => "/run/netns/x",
            "CNI_IFNAME" => "eth0",
            "CNI_ARGS" => args,
            _ => return None,
        };
        Some(value.to_owned())
    })?;
    let wanted = Wanted::new(&call, &config.common)?;
    let id = attachment(&call, &config.common)?;
    let HostFile {
        links,
        given,
        addresses,
    } = host;
    let links: Vec<_> = links.into_iter().map(LinkFile::link).collect();
    let is_vlan = |link: &&Link| matches!(link.kind, LinkKind::Vlan(_));
    let seen = Seen {
        vlans: links.iter().filter(is_vlan).cloned().collect(),
        links,
        addresses,
    };
    let life = Incarnation::from_random([7; 16]);
    let grant = |fresh: &Fresh| Ok(granted(&given, fresh));
    whole((&wanted, &config.link), (&id, &life), &seen, grant)
}

fn text(planned: Result<Whole, CniError>) -> String {
    let mut text = String::new();
    match planned {
        Err(error) => {
            let (code, message) = (u32::from(error.code()), error.message());
            writeln!(text, "error {code}: {message}\n  hint: {}", error.remedy()).unwrap();
        }
        Ok(Whole { node, inside }) => {
            for step in node {
                writeln!(text, "node       {step}").unwrap();
            }
            for step in inside {
                writeln!(text, "interface  {step}").unwrap();
            }
        }
    }
    text
}

fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> T {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_case_is_planned_as_its_folder_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let rewrite = std::env::var_os("BERTH_WRITE_PLANS").is_some();
    let cases = fs::read_dir(folder).unwrap();
    let mut cases: Vec<_> = cases.map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= CASES, "{} cases", cases.len());
    let mut wrong = String::new();
    for case in cases {
        let request = read(&case.join("request.json"));
        let planned = text(plan(&request, read(&case.join("host.json"))));
        let file = case.join("plan.txt");
        if rewrite {
            fs::write(&file, &planned).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap_or_default();
        if planned != expected {
            let case = case.display();
            writeln!(wrong, "{case}:\nexpected:\n{expected}planned:\n{planned}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
