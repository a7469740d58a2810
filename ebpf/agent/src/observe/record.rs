//! The plugin's attachment records.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use berth_types::{ContainerId, IfName, LocalAttachment, Record as _};
use ipnetwork::IpNetwork;
use jiff::Timestamp;

use super::workload;
use crate::ledger::{Family, Identity, Life, Place};
use crate::model::{Driver, Mode, Pod};

/// More than any record that the plugin writes.
const LONGEST: u64 = 1 << 20;

/// What the folder of records holds.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The interfaces that are to be counted.
    pub wanted: BTreeMap<Life, Wanted>,
    /// Files that are no record, and why. Whose they are is left as it is.
    pub unreadable: BTreeMap<String, String>,
    /// Why the folder could not be listed, so that nobody can tell what has ended.
    pub unlisted: Option<String>,
}

/// One interface.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Whose it is and where.
    pub identity: Identity,
    /// Its addresses.
    pub addresses: Vec<IpNetwork>,
    /// When its record was written.
    pub written: Timestamp,
}

/// Reads all records below `run_dir`.
pub fn read(run_dir: &Path) -> Found {
    let mut found = Found::default();
    let folder = run_dir.join("attachments");
    let listed = match std::fs::read_dir(&folder) {
        Ok(listed) => listed,
        Err(error) => {
            let problem = format!("cannot list {}: {error}", folder.display());
            found.unlisted = Some(problem);
            return found;
        }
    };
    for entry in listed {
        let Ok(entry) = entry else {
            let problem = format!("cannot list all of {}", folder.display());
            found.unlisted = Some(problem);
            continue;
        };
        let name = entry.file_name().to_string_lossy().into_owned();
        // The plugin writes beside, and renames.
        if Path::new(&name).extension().is_none_or(|end| end != "json") || name.starts_with('.') {
            continue;
        }
        match read_one(&entry.path(), &name) {
            Ok(wanted) => drop(found.wanted.insert(wanted.identity.life(), wanted)),
            Err(Problem::Gone) => {}
            Err(Problem::Bad(problem)) => drop(found.unreadable.insert(name, problem)),
        }
    }
    found
}

/// The name of the file of an interface's record.
pub fn file_name(container: &ContainerId, ifname: &IfName) -> String {
    format!("{container}-{}.json", ifname.as_str().replace('-', "%2d"))
}

enum Problem {
    Gone,
    Bad(String),
}

fn read_one(path: &Path, name: &str) -> Result<Wanted, Problem> {
    let bad = |error: &dyn std::fmt::Display| Problem::Bad(format!("{}: {error}", path.display()));
    let (text, written) = match read_file(path) {
        Ok(read) => read,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Problem::Gone),
        Err(error) => return Err(bad(&error)),
    };
    let record = LocalAttachment::decode(path.display(), &text)
        .map_err(|error| Problem::Bad(error.to_string()))?;
    let id = &record.attachment;
    if file_name(&id.container, &id.ifname) != name {
        return Err(bad(&format_args!("it is the record of {id}")));
    }
    Ok(wanted(record, written))
}

/// What is in it, and when that was written.
fn read_file(path: &Path) -> io::Result<(Vec<u8>, Timestamp)> {
    // A link would lead the agent, which may read everything, elsewhere.
    let file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path)?;
    let about = file.metadata()?;
    if !about.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let written = Timestamp::try_from(about.modified()?).map_err(io::Error::other)?;
    let mut text = Vec::new();
    let length = file.take(LONGEST + 1).read_to_end(&mut text)?;
    if u64::try_from(length).is_ok_and(|length| length > LONGEST) {
        return Err(io::Error::other("longer than any record"));
    }
    Ok((text, written))
}

fn wanted(record: LocalAttachment, written: Timestamp) -> Wanted {
    let LocalAttachment {
        v: _,
        attachment,
        incarnation,
        pod,
        workload: annotation,
        netns,
        link,
        addresses,
        revision: _,
        ipam: _,
        result: _,
    } = record;
    let addresses: Vec<IpNetwork> = addresses.into_iter().map(|address| address.cidr).collect();
    let workload = workload(pod.as_ref(), &attachment.network, annotation.as_deref());
    let (driver, place) = match link.port {
        Some(port) => (Driver::Ovs, Place::Node { name: port.name }),
        None => (
            Driver::Macvlan,
            Place::Container {
                netns,
                ifindex: link.ifindex,
            },
        ),
    };
    let pod = pod.map_or_else(
        || Pod {
            name: attachment.container.to_string(),
            ..Pod::default()
        },
        |pod| Pod {
            namespace: pod.namespace,
            name: pod.name,
            uid: pod.uid,
        },
    );
    let identity = Identity {
        pod,
        container: attachment.container,
        ifname: attachment.ifname,
        incarnation,
        network: attachment.network,
        workload,
        driver,
        family: family(addresses.iter().map(IpNetwork::ip)),
        place,
        mode: [Mode::Off; 2],
        program: 0,
        accounted: [(0, 0); 2],
        pending: true,
        former: None,
    };
    Wanted {
        identity,
        addresses,
        written,
    }
}

fn family(addresses: impl Iterator<Item = IpAddr>) -> Family {
    let families: BTreeSet<bool> = addresses.map(|address| address.is_ipv6()).collect();
    match (families.contains(&false), families.contains(&true)) {
        (true, true) => Family::Dual,
        (false, true) => Family::Ipv6,
        _ => Family::Ipv4,
    }
}
