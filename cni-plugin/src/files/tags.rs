//! In which VLAN a pool gave addresses last: a guess, which saves time. A wrong one costs a link or
//! a port put right.

use std::fs;
use std::path::PathBuf;

use berth_types::{PoolName, VlanId};

use super::{RunFiles, remove};

/// In which VLAN a pool's addresses are, as this node has seen them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tagging {
    /// None was seen.
    Unseen,
    /// The pool named no VLAN.
    Untagged,
    /// In this one.
    In(VlanId),
    /// Now in one and now in another, or an earlier release did not say in which.
    Several,
}

impl Tagging {
    /// What one address tells.
    pub const fn of(vlan: Option<VlanId>) -> Self {
        match vlan {
            Some(vlan) => Self::In(vlan),
            None => Self::Untagged,
        }
    }

    /// What is believed after one more address.
    #[must_use]
    pub fn learn(self, vlan: Option<VlanId>) -> Self {
        match self {
            Self::Unseen => Self::of(vlan),
            known if known == Self::of(vlan) => known,
            _ => Self::Several,
        }
    }
}

impl RunFiles {
    /// How it was when the pool gave an address last.
    pub fn tagging(&self, pool: &PoolName) -> Tagging {
        match fs::read_to_string(self.tagged(pool)).as_deref() {
            Err(_) => Tagging::Unseen,
            Ok(UNTAGGED) => Tagging::Untagged,
            Ok(vlan) => {
                let vlan = vlan.parse().ok().and_then(|tag: u16| tag.try_into().ok());
                vlan.map_or(Tagging::Several, Tagging::In)
            }
        }
    }

    /// Remembers how it is. No call fails for it.
    pub fn note_tagging(&self, pool: &PoolName, tagging: Tagging) {
        let path = self.tagged(pool);
        let write = |text: &str| {
            let folder = fs::create_dir_all(self.dir.join("tagged"));
            let written = folder.and_then(|()| fs::write(&path, text));
            written.map_err(|error| error.to_string())
        };
        let noted = match tagging {
            Tagging::Unseen => remove(&path).map_err(|error| error.to_string()),
            Tagging::Untagged => write(UNTAGGED),
            Tagging::In(vlan) => write(&u16::from(vlan).to_string()),
            Tagging::Several => write(""),
        };
        if let Err(error) = noted {
            tracing::debug!(error, "how the pool is tagged could not be noted");
        }
    }

    fn tagged(&self, pool: &PoolName) -> PathBuf {
        self.dir.join("tagged").join(pool.as_str())
    }
}

/// What the file says of a pool that names no VLAN.
const UNTAGGED: &str = "untagged";

#[cfg(test)]
mod tests {
    use super::*;

    fn seven() -> Option<VlanId> {
        VlanId::try_from(7).ok()
    }

    fn eight() -> Option<VlanId> {
        VlanId::try_from(8).ok()
    }

    #[test]
    fn what_is_noted_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let files = RunFiles::new(folder.path());
        let pool = "prod".parse().unwrap();
        assert_eq!(files.tagging(&pool), Tagging::Unseen);
        let all = [
            Tagging::Untagged,
            Tagging::of(seven()),
            Tagging::Several,
            Tagging::Unseen,
        ];
        for tagging in all {
            files.note_tagging(&pool, tagging);
            assert_eq!(files.tagging(&pool), tagging);
        }
        for damaged in ["x", "0", "4095", "70000", "7 "] {
            files.note_tagging(&pool, Tagging::Several);
            fs::write(files.tagged(&pool), damaged).unwrap();
            assert_eq!(files.tagging(&pool), Tagging::Several, "case: {damaged}");
        }
    }

    #[test]
    fn two_answers_that_differ_leave_no_belief() {
        let first = Tagging::Unseen.learn(seven());
        assert_eq!(first, Tagging::of(seven()));
        assert_eq!(first.learn(seven()), first);
        for other in [None, eight()] {
            assert_eq!(first.learn(other), Tagging::Several);
        }
        assert_eq!(Tagging::Untagged.learn(seven()), Tagging::Several);
        assert_eq!(Tagging::Several.learn(seven()), Tagging::Several);
    }
}
