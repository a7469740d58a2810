//! Another version's maps, read by what they say of themselves.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use berth_ebpf_common::{Count, OVERFLOW, Totals, WorkloadKey, maps};
use jiff::Timestamp;

use super::layout::Layout;
use super::{Counted, Identity, add_totals, timestamp};
use crate::kernel::bpf;
use crate::model::WorkloadName;

/// The maps of one other version.
#[derive(Debug)]
pub struct Formers {
    abi: u32,
    folder: PathBuf,
    layout: Layout,
    slots: OwnedFd,
    details: OwnedFd,
    owners: OwnedFd,
    workloads: OwnedFd,
}

/// One of their owners.
#[derive(Clone, Debug)]
pub struct FormerOwner {
    /// Its slot there.
    pub slot: u32,
    /// [`berth_ebpf_common::OwnerState`] as a number.
    pub state: u32,
    /// Its generation.
    pub generation: u64,
    /// When counting began.
    pub created: Timestamp,
    /// Flags.
    pub flags: u64,
    /// What is added to its counters.
    pub base: Totals,
    /// Whose it is; `None` for nobody's, and when it cannot be read.
    pub identity: Option<Identity>,
}

/// One of their workloads.
#[derive(Clone, Debug)]
pub struct FormerWorkload {
    /// The slot and generation that was folded last.
    pub last: (u32, u64),
    /// When the first was counted.
    pub created: Timestamp,
    /// What had ended.
    pub totals: Totals,
    /// Which.
    pub name: Option<WorkloadName>,
}

impl Formers {
    /// Opens the maps in `folder`, that of version `abi`.
    ///
    /// # Errors
    /// When they do not say where what is, or cannot be opened.
    pub fn open(abi: u32, folder: &Path) -> io::Result<Self> {
        let layout = Layout::read(folder);
        let layout = layout.ok_or_else(|| {
            io::Error::other(format!("{} does not say its layout", folder.display()))
        })?;
        let open = |name: &str| bpf::open(&folder.join(name));
        Ok(Self {
            abi,
            folder: folder.to_owned(),
            slots: open(maps::SLOTS)?,
            details: open(maps::DETAILS)?,
            owners: open(maps::OWNERS)?,
            workloads: open(maps::WORKLOADS)?,
            layout,
        })
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Their version.
    pub const fn abi(&self) -> u32 {
        self.abi
    }

    /// When its agent began with them; `None` when it never did.
    ///
    /// # Errors
    /// The kernel's.
    pub fn begun(&self) -> io::Result<Option<Timestamp>> {
        let owner = self.owner(OVERFLOW)?;
        Ok((owner.state != 0).then_some(owner.created))
    }

    /// One of their owners.
    ///
    /// # Errors
    /// The kernel's.
    pub fn owner(&self, slot: u32) -> io::Result<FormerOwner> {
        let [state, len, generation, created, flags, base, identity] = self.layout.owner_fields;
        let bytes = entry(&self.owners, slot, self.layout.owner)?;
        let text = bytes.get(identity..).unwrap_or_default();
        Ok(FormerOwner {
            slot,
            state: half(&bytes, state),
            generation: word(&bytes, generation),
            created: timestamp(word(&bytes, created)),
            flags: word(&bytes, flags),
            base: self.totals(bytes.get(base..).unwrap_or_default()),
            identity: Identity::decode(text, half(&bytes, len)),
        })
    }

    /// All that are somebody's.
    ///
    /// # Errors
    /// The kernel's.
    pub fn owners(&self) -> io::Result<Vec<FormerOwner>> {
        let mut all = Vec::new();
        for slot in 1..self.layout.slots {
            let owner = self.owner(slot)?;
            if owner.state != 0 {
                all.push(owner);
            }
        }
        Ok(all)
    }

    /// What was counted into a slot there, without its base.
    ///
    /// # Errors
    /// The kernel's.
    pub fn counted(&self, slot: u32) -> io::Result<Counted> {
        let mut counted = Counted::default();
        let Layout {
            shards,
            slot: size,
            scopes: [receive, transmit],
            surplus: [received, sent],
            detail_shards,
            detail,
            details,
            ..
        } = self.layout;
        for shard in 0..shards {
            let bytes = entry(&self.slots, slot * shards + shard, size)?;
            let shard = Totals {
                receive: counts(&bytes, receive),
                transmit: counts(&bytes, transmit),
                ..Totals::default()
            };
            add_totals(&mut counted.totals, &shard);
            let [to_received, to_sent] = &mut counted.surplus;
            super::add_count(to_received, count(&bytes, received));
            super::add_count(to_sent, count(&bytes, sent));
        }
        for shard in 0..detail_shards {
            let bytes = entry(&self.details, slot * detail_shards + shard, detail)?;
            add_totals(&mut counted.totals, &with_details(&bytes, details));
        }
        Ok(counted)
    }

    /// All of their workloads.
    ///
    /// # Errors
    /// The kernel's.
    pub fn workloads(&self) -> io::Result<Vec<FormerWorkload>> {
        let [slot, len, generation, created, totals, identity] = self.layout.workload_fields;
        let mut all = Vec::new();
        let mut last: Option<[u8; size_of::<WorkloadKey>()]> = None;
        loop {
            let mut next = [0; size_of::<WorkloadKey>()];
            let key = last.as_mut().map(|key| &mut key[..]);
            if !bpf::next_key(self.workloads.as_fd(), key, &mut next)? {
                return Ok(all);
            }
            let mut bytes = vec![0; self.layout.workload];
            if bpf::lookup(self.workloads.as_fd(), &mut next, &mut bytes)? {
                let text = bytes.get(identity..).unwrap_or_default();
                all.push(FormerWorkload {
                    last: (half(&bytes, slot), word(&bytes, generation)),
                    created: timestamp(word(&bytes, created)),
                    totals: self.totals(bytes.get(totals..).unwrap_or_default()),
                    name: WorkloadName::decode(text, half(&bytes, len)),
                });
            }
            last = Some(next);
        }
    }

    fn totals(&self, bytes: &[u8]) -> Totals {
        let [receive, transmit] = self.layout.total_scopes;
        Totals {
            receive: counts(bytes, receive),
            transmit: counts(bytes, transmit),
            ..with_details(bytes, self.layout.total_details)
        }
    }
}

/// The entry at `index` of an array whose values have `size` bytes.
fn entry(map: &OwnedFd, index: u32, size: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size];
    if bpf::lookup(map.as_fd(), &mut index.to_ne_bytes(), &mut bytes)? {
        return Ok(bytes);
    }
    Err(io::ErrorKind::NotFound.into())
}

fn with_details(bytes: &[u8], [receive, transmit]: [usize; 2]) -> Totals {
    let details = |at: usize| {
        let mut all = [[Count::default(); 3]; 5];
        for (n, to) in all.as_flattened_mut().iter_mut().enumerate() {
            *to = count(bytes, at + n * size_of::<Count>());
        }
        all
    };
    Totals {
        receive_detail: details(receive),
        transmit_detail: details(transmit),
        ..Totals::default()
    }
}

fn counts(bytes: &[u8], at: usize) -> [Count; 4] {
    let mut all = [Count::default(); 4];
    for (n, to) in all.iter_mut().enumerate() {
        *to = count(bytes, at + n * size_of::<Count>());
    }
    all
}

fn count(bytes: &[u8], at: usize) -> Count {
    Count {
        bytes: word(bytes, at),
        packets: word(bytes, at + size_of::<u64>()),
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.map_or(0, |word| u64::from_ne_bytes(*word))
}

fn half(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.map_or(0, |half| u32::from_ne_bytes(*half))
}
