//! Which pools gave an address in a VLAN last: a guess, which saves a link on the wrong parent.

use std::fs;

use berth_types::PoolName;

use super::{RunFiles, remove};

/// Where an interface's VLAN is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagging {
    /// With the pool's subnet.
    ByPool,
    /// In the configuration, or nowhere.
    Otherwise,
}

impl RunFiles {
    /// How it was when the pool gave an address last.
    pub fn tagging(&self, pool: &PoolName) -> Tagging {
        if self.tagged(pool).exists() {
            Tagging::ByPool
        } else {
            Tagging::Otherwise
        }
    }

    /// Remembers how it is. No call fails for it.
    pub fn note_tagging(&self, pool: &PoolName, tagging: Tagging) {
        let path = self.tagged(pool);
        let noted = match tagging {
            Tagging::Otherwise => remove(&path).map_err(|error| error.to_string()),
            Tagging::ByPool => fs::create_dir_all(self.dir.join("tagged"))
                .and_then(|()| fs::write(&path, b""))
                .map_err(|error| error.to_string()),
        };
        if let Err(error) = noted {
            tracing::debug!(error, "how the pool is tagged could not be noted");
        }
    }

    fn tagged(&self, pool: &PoolName) -> std::path::PathBuf {
        self.dir.join("tagged").join(pool.as_str())
    }
}
