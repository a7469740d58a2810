//! What one network needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use berth_cni::host::{Link, LinkKind, Netlink};
use berth_cni::ovs::Client;
use berth_cni::spec::{Driver, MainConfig, Mode, OvsConfig};
use berth_types::{IfName, VlanId};
use ipnetwork::IpNetwork;
use nix::unistd::{AccessFlags, access};
use serde_json::json;

use super::gateway::{self, Stand};
use super::{Patience, failed, plugin, store};
use crate::conf::Conf;
use crate::doctor::seen::{
    Answers, Folder, Parent, Seen, SeenNetwork, SeenParts, SeenStore, Unseen,
};

/// Looks at everything that the network of `conf` needs.
pub(crate) fn network(conf: Conf, bin_dirs: &[PathBuf], patience: Patience) -> SeenNetwork {
    let parsed = MainConfig::parse(&conf.stdin());
    let parsed = parsed.map(|config| parts(config, bin_dirs, patience));
    SeenNetwork { conf, parsed }
}

fn parts(config: MainConfig, bin_dirs: &[PathBuf], patience: Patience) -> SeenParts {
    let names = match &config.link.driver {
        Driver::Macvlan(macvlan) => macvlan.master.clone(),
        Driver::Ovs(ovs) => vec![ovs.bridge.clone()],
    };
    let parent = patience.look(move || find(&names));
    let vlans = patience.look(|| {
        let vlans = Netlink::open().and_then(|mut netlink| netlink.vlans());
        vlans.map_err(failed)
    });
    let bridge = match &config.link.driver {
        Driver::Macvlan(_) => None,
        Driver::Ovs(ovs) => {
            let ovs = ovs.clone();
            Some(patience.look(move || has_bridge(&ovs, patience)))
        }
    };
    let (asked, longest) = (config.common.clone(), patience.longest());
    let store = patience.look(move || store::look(&asked, longest));
    let gateways = match (&parent, &vlans, &store) {
        (Ok(Some(parent)), Ok(vlans), Ok(store)) => ask(&config, parent, vlans, store, patience),
        _ => Vec::new(),
    };
    let bin_dirs = bin_dirs.to_vec();
    let plugin = patience.look(move || Ok(plugin::look(&bin_dirs, patience.longest())));
    let common = &config.common;
    let folders = [
        ("runDir", common.run_dir.clone()),
        ("stateDir", common.state_dir.clone()),
    ];
    let folders =
        patience.look(move || Ok(folders.map(|(field, path)| folder(field, path)).into()));
    SeenParts {
        config,
        parent,
        vlans,
        bridge,
        store,
        gateways,
        plugin,
        folders,
    }
}

/// The first of the links that exists.
fn find(names: &[IfName]) -> Seen<Option<Parent>> {
    let mut netlink = Netlink::open().map_err(failed)?;
    for name in names {
        if let Some(link) = netlink.link_by_name(name).map_err(failed)? {
            let carrier = netlink.has_carrier(link.index).map_err(failed)?;
            return Ok(Some(Parent { link, carrier }));
        }
    }
    Ok(None)
}

fn has_bridge(OvsConfig { bridge, socket }: &OvsConfig, patience: Patience) -> Seen<bool> {
    let select = json!({
        "op": "select", "table": "Bridge", "where": [["name", "==", bridge]], "columns": ["name"],
    });
    let mut client = Client::connect_for(socket, patience.longest()).map_err(failed)?;
    let results = client
        .transact(&[select], std::time::Duration::ZERO)
        .map_err(failed)?;
    let rows = results
        .first()
        .and_then(|result| result.get("rows")?.as_array());
    let rows = rows.ok_or_else(|| Unseen::Failed("OVSDB refuses to list its bridges".into()))?;
    Ok(!rows.is_empty())
}

/// Asks the gateways of the pools, each in its VLAN.
fn ask(
    config: &MainConfig,
    parent: &Parent,
    vlans: &[Link],
    store: &SeenStore,
    patience: Patience,
) -> Vec<(Option<VlanId>, Seen<Answers>)> {
    let mut wanted: BTreeMap<Option<VlanId>, Vec<IpNetwork>> = BTreeMap::new();
    let pools = store
        .pools
        .iter()
        .filter_map(|(_, pool)| pool.as_ref().ok());
    for subnet in pools.flat_map(|pool| &pool.subnets) {
        let gateway = subnet
            .gateway
            .map(|gateway| IpNetwork::new(gateway, subnet.cidr.prefix()));
        if let Some(Ok(gateway)) = gateway {
            let vlan = config.link.vlan.or(subnet.vlan);
            wanted.entry(vlan).or_default().push(gateway);
        }
    }
    let answers = wanted.into_iter().map(|(vlan, gateways)| {
        let seen = stand(config, parent, vlans, vlan)
            .and_then(|stand| patience.look(move || gateway::ask(&stand, &gateways)));
        (vlan, seen)
    });
    answers.collect()
}

/// Where an interface of the VLAN would stand.
fn stand(
    config: &MainConfig,
    parent: &Parent,
    vlans: &[Link],
    vlan: Option<VlanId>,
) -> Seen<Stand> {
    let moot = |why: String| Err(Unseen::Moot(why));
    match &config.link.driver {
        Driver::Ovs(_) => {
            return moot("a bridge of Open vSwitch is asked through its own ports only".into());
        }
        Driver::Macvlan(macvlan) if macvlan.mode == Mode::Passthru => {
            return moot(
                "in mode passthru nothing may stand beside the container's interface".into(),
            );
        }
        Driver::Macvlan(_) => {}
    }
    let of = |link: &&Link| matches!(link.kind, LinkKind::Vlan(tag) if Some(tag.id) == vlan && tag.parent == parent.link.index);
    let (link, vlan) = match vlans.iter().find(of) {
        Some(sub_interface) => (sub_interface, None),
        // Made with its first container.
        None => (&parent.link, vlan),
    };
    if link.up && parent.link.up && parent.carrier {
        Ok(Stand {
            parent: link.clone(),
            vlan,
        })
    } else {
        moot(format!("{} is down or has no carrier", link.name))
    }
}

/// Whether files can be made in a folder that is there, or in the nearest one above it.
fn folder(field: &'static str, path: PathBuf) -> Folder {
    let nearest = path
        .ancestors()
        .find(|path| path.exists())
        .unwrap_or(Path::new("/"));
    let allowed = access(nearest, AccessFlags::W_OK | AccessFlags::X_OK);
    let problem = match allowed {
        _ if !nearest.is_dir() => Some(format!("{} is no folder", nearest.display())),
        Err(errno) => Some(format!("{}: {}", nearest.display(), errno.desc())),
        Ok(()) => None,
    };
    Folder {
        field,
        path,
        problem,
    }
}
