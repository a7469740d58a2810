//! Who this node is.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use berth_types::{NodeId, NodeName};

use crate::IpamError;

/// A node's name, and the random id that no other node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    /// The name, by default the host's.
    pub name: NodeName,
    /// The random id.
    pub id: NodeId,
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
        Ok(Self { name, id })
    }

    /// A number that differs from node to node.
    pub(crate) fn seed(&self) -> u64 {
        crate::seed(self.id.as_str())
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
