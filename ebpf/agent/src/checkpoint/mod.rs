//! The sums over a reboot: a file, as the kernel forgets.
//!
//! It holds what each workload had, the ended and the live apart. After a reboot all live ones have
//! ended; in the same boot, as when the pins were removed, those that are still there begin again
//! from their devices' own counters.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use berth_ebpf_common::{Count, TcpValue, Totals};
use berth_types::{ContainerId, IfName, Incarnation};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ledger::{Ledger, Life, Store, add_totals};
use crate::model::WorkloadName;
use crate::observe::Found;

/// What is written down.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The version of this file.
    v: u32,
    /// What had ended.
    workloads: Vec<Sum>,
    /// What was live.
    live: Vec<Live>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sum {
    workload: WorkloadName,
    created: Timestamp,
    totals: Written,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Live {
    container: ContainerId,
    ifname: IfName,
    incarnation: Incarnation,
    created: Timestamp,
    workload: WorkloadName,
    totals: Written,
}

/// [`Totals`] as rows of numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    receive: [[u64; 2]; 4],
    transmit: [[u64; 2]; 4],
    receive_detail: [[[u64; 2]; 3]; 5],
    transmit_detail: [[[u64; 2]; 3]; 5],
    resets: [u64; 2],
    tcp: [u64; 5],
    rtt: Vec<u64>,
}

const VERSION: u32 = 1;

/// What is known now; nothing folded is counted twice.
///
/// # Errors
/// The kernel's.
pub fn take<S: Store>(ledger: &Ledger<S>) -> io::Result<Checkpoint> {
    let mut checkpoint = Checkpoint {
        v: VERSION,
        ..Checkpoint::default()
    };
    for (workload, entry) in ledger.workloads()? {
        checkpoint.workloads.push(Sum {
            workload,
            created: entry.created,
            totals: Written::from(&entry.totals),
        });
    }
    for (slot, found) in ledger.slots() {
        if found.ended.is_some() && ledger.is_folded(*slot)? {
            continue;
        }
        let Life {
            container,
            ifname,
            incarnation,
        } = found.identity.life();
        checkpoint.live.push(Live {
            container,
            ifname,
            incarnation,
            created: found.created,
            workload: found.workload().clone(),
            totals: Written::from(&ledger.totals(*slot)),
        });
    }
    Ok(checkpoint)
}

/// Writes it, whole or not at all.
///
/// # Errors
/// The file system's.
pub fn write(state_dir: &Path, checkpoint: &Checkpoint) -> io::Result<()> {
    fs::create_dir_all(state_dir)?;
    let path = path(state_dir);
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(&serde_json::to_vec(checkpoint)?)?;
    file.sync_all()?;
    fs::rename(&new, &path)?;
    File::open(state_dir)?.sync_all()
}

/// Reads it; `None` when there is none.
///
/// # Errors
/// The file system's, and what is wrong with it.
pub fn read(state_dir: &Path) -> io::Result<Option<Checkpoint>> {
    let path = path(state_dir);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let wrong = |problem: String| io::Error::other(format!("{}: {problem}", path.display()));
    let read: Checkpoint =
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    if read.v != VERSION {
        return Err(wrong(format!("version {} is not {VERSION}", read.v)));
    }
    Ok(Some(read))
}

/// Removes it.
///
/// # Errors
/// The file system's.
pub fn remove(state_dir: &Path) -> io::Result<()> {
    match fs::remove_file(path(state_dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Puts the sums into `ledger`, in which nothing was counted yet. Can be repeated.
///
/// # Errors
/// The kernel's.
pub fn restore<S: Store>(
    ledger: &mut Ledger<S>,
    checkpoint: &Checkpoint,
    found: &Found,
) -> io::Result<usize> {
    let mut sums: BTreeMap<WorkloadName, (Timestamp, Totals)> = BTreeMap::new();
    let ended = checkpoint.workloads.iter();
    let ended = ended.map(|sum| (&sum.workload, sum.created, &sum.totals));
    let over = checkpoint
        .live
        .iter()
        .filter(|live| !found.wanted.contains_key(&live.life()))
        .map(|live| (&live.workload, live.created, &live.totals));
    for (workload, created, totals) in ended.chain(over) {
        let sum = sums.entry(workload.clone());
        let (first, sum) = sum.or_insert((created, Totals::default()));
        *first = created.min(*first);
        add_totals(sum, &totals.totals());
    }
    let count = sums.len();
    ledger.restore_all(sums)?;
    Ok(count)
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("traffic.json")
}

impl Live {
    fn life(&self) -> Life {
        Life {
            container: self.container.clone(),
            ifname: self.ifname.clone(),
            incarnation: self.incarnation.clone(),
        }
    }
}

impl From<&Totals> for Written {
    fn from(totals: &Totals) -> Self {
        let pair = |count: Count| [count.bytes, count.packets];
        let TcpValue {
            retransmits,
            connected,
            failed,
            accepted,
            rtt,
            rtt_sum_us,
            ..
        } = totals.tcp;
        Self {
            receive: totals.receive.map(pair),
            transmit: totals.transmit.map(pair),
            receive_detail: totals.receive_detail.map(|row| row.map(pair)),
            transmit_detail: totals.transmit_detail.map(|row| row.map(pair)),
            resets: totals.resets,
            tcp: [retransmits, connected, failed, accepted, rtt_sum_us],
            rtt: rtt.to_vec(),
        }
    }
}

impl Written {
    fn totals(&self) -> Totals {
        let count = |[bytes, packets]: [u64; 2]| Count { bytes, packets };
        let [retransmits, connected, failed, accepted, rtt_sum_us] = self.tcp;
        let mut tcp = TcpValue {
            retransmits,
            connected,
            failed,
            accepted,
            rtt_sum_us,
            ..TcpValue::default()
        };
        for (to, from) in tcp.rtt.iter_mut().zip(&self.rtt) {
            *to = *from;
        }
        Totals {
            receive: self.receive.map(count),
            transmit: self.transmit.map(count),
            receive_detail: self.receive_detail.map(|row| row.map(count)),
            transmit_detail: self.transmit_detail.map(|row| row.map(count)),
            resets: self.resets,
            tcp,
        }
    }
}
