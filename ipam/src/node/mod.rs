//! Who this node is, and whether its name is its own.
//!
//! A name can be given twice: two machines of one host name, a machine installed anew, a disk image
//! that was cloned with everything on it. So a node is its random id, together with the machine that
//! has it; the store's record at `nodes/<node>` says which that is. [`judge`] compares, and a name
//! that is another's allocates nothing until [`adopt`] was asked for.

pub mod adopt;
mod standing;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use berth_types::{NodeId, NodeName};

use crate::IpamError;
pub use standing::{Anothers, Standing, Why, judge};

const MACHINE_ID: &str = "/etc/machine-id";
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// A node's name, the random id that no other node has, and the machine that has both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    /// The name, by default the host's.
    pub name: NodeName,
    /// The random id.
    pub id: NodeId,
    /// `/etc/machine-id`; empty where there is none, or none yet.
    pub machine_id: String,
    /// Which boot this is; empty where the kernel does not say.
    pub boot_id: String,
}

impl NodeIdentity {
    /// The identity kept in `<state>/node-id`, which is made with `random` when absent.
    ///
    /// Many processes may do this at once: all get the same id, and the file is never seen half
    /// written.
    ///
    /// # Errors
    /// [`IpamError::Disk`], also for a file that holds no id.
    pub fn load(name: NodeName, state: &Path, random: [u8; 16]) -> Result<Self, IpamError> {
        let path = state.join("node-id");
        let id = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(state, &path, random).and_then(|()| fs::read_to_string(&path))
            }
            other => other,
        };
        let parse = |text: String| {
            let parsed = text.trim().parse::<NodeId>();
            parsed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
        };
        let id = id
            .and_then(parse)
            .map_err(|source| IpamError::Disk { path, source })?;
        Ok(Self {
            name,
            id,
            machine_id: said_in(Path::new(MACHINE_ID)),
            boot_id: said_in(Path::new(BOOT_ID)),
        })
    }

    /// The random id kept in `<state>/node-id`; `None` where this machine is no node, or the file
    /// holds no id. Makes nothing.
    pub fn id_in(state: &Path) -> Option<NodeId> {
        fs::read_to_string(state.join("node-id"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// A number that differs from node to node.
    pub(crate) fn seed(&self) -> u64 {
        crate::seed(self.id.as_str())
    }
}

/// The one line of a file. What systemd writes into an image that was never booted is no id.
fn said_in(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    match text.trim() {
        "uninitialized" => String::new(),
        id => id.to_owned(),
    }
}

/// Whoever links first decides; everybody then reads that.
fn create(state: &Path, path: &Path, random: [u8; 16]) -> io::Result<()> {
    fs::create_dir_all(state)?;
    let id = format!("{:032x}", u128::from_be_bytes(random));
    let fresh = state.join(format!("node-id.{id}"));
    let mut file = fs::File::create(&fresh)?;
    file.write_all(format!("{id}\n").as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&fresh, path);
    fs::remove_file(&fresh)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
