//! Decides from histories and the final store whether all promises were kept. Pure.

mod intervals;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use berth_types::{AddressRecord, AttachmentId, AttachmentRecord, Family, Phase};

use super::history::{Life, Line, Wish};
use intervals::{Interval, Told};

/// What the store holds at the end.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// Every address that has a record.
    pub addresses: BTreeMap<IpAddr, AddressRecord>,
    /// Every attachment that has one.
    pub attachments: BTreeMap<AttachmentId, AttachmentRecord>,
    /// Keys whose value cannot be read.
    pub unreadable: Vec<String>,
}

/// Which addresses there are.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// All that may ever be given without being asked for by name or by right.
    pub usable: BTreeSet<IpAddr>,
    /// The addresses reserved for each workload.
    pub reserved: BTreeMap<String, BTreeSet<IpAddr>>,
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Two interfaces had one address at the same time.
    TwiceLive {
        /// The address.
        address: IpAddr,
        /// Who had it first.
        first: Box<Life>,
        /// Who was given it as well.
        second: Box<Life>,
        /// When, in nanoseconds since boot.
        at_ns: u64,
    },
    /// An address was given that must not be.
    NotGivable {
        /// The address.
        address: IpAddr,
        /// To whom.
        life: Box<Life>,
    },
    /// Something else was given than what was asked for, or belongs to the pod.
    NotWished {
        /// What was given.
        address: IpAddr,
        /// To whom.
        life: Box<Life>,
        /// What it wished.
        wish: Wish,
    },
    /// The same ADD was answered with other addresses the second time.
    Moved(Box<Life>),
    /// An attachment is live, but the store does not say that it has this address.
    Lost {
        /// The address.
        address: IpAddr,
        /// Whose it is.
        life: Box<Life>,
    },
    /// The store says that somebody has the address, who does not live.
    Leaked {
        /// The address.
        address: IpAddr,
        /// Who has it, as the store says.
        holder: Box<Life>,
    },
    /// The attachment's record and those of addresses do not say the same.
    Disagree {
        /// The attachment.
        attachment: Box<AttachmentId>,
        /// The address.
        address: IpAddr,
    },
    /// A record cannot be read.
    Unreadable(String),
    /// A worker's history does not end well.
    Unfinished(String),
}

impl Violation {
    /// The attachments it is about.
    pub fn about(&self) -> Vec<&AttachmentId> {
        match self {
            Self::TwiceLive { first, second, .. } => vec![&first.attachment, &second.attachment],
            Self::NotGivable { life, .. }
            | Self::NotWished { life, .. }
            | Self::Moved(life)
            | Self::Lost { life, .. }
            | Self::Leaked { holder: life, .. } => vec![&life.attachment],
            Self::Disagree { attachment, .. } => vec![attachment],
            Self::Unreadable(_) | Self::Unfinished(_) => Vec::new(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |life: &Life| format!("{} ({})", life.attachment, life.incarnation);
        match self {
            Self::TwiceLive {
                address,
                first,
                second,
                at_ns,
            } => {
                let (first, second) = (name(first), name(second));
                write!(f, "{address} lives twice at {at_ns}: {first}, {second}")
            }
            Self::NotGivable { address, life } => {
                write!(f, "{address} was given to {}", name(life))
            }
            Self::NotWished {
                address,
                life,
                wish,
            } => write!(f, "{address} was given to {}: {wish:?}", name(life)),
            Self::Moved(life) => write!(f, "the same ADD of {} moved it", name(life)),
            Self::Lost { address, life } => {
                write!(f, "{address} is lost: {} lives", name(life))
            }
            Self::Leaked { address, holder } => {
                write!(f, "{address} has leaked: {} has gone", name(holder))
            }
            Self::Disagree {
                attachment,
                address,
            } => write!(f, "{attachment} and {address} do not agree"),
            Self::Unreadable(key) => write!(f, "{key} cannot be read"),
            Self::Unfinished(worker) => write!(f, "the history of {worker} has no end"),
        }
    }
}

/// Everything that is wrong with the histories, one per worker, and the store they led to.
pub fn check(
    histories: &BTreeMap<String, Vec<Line>>,
    end: &Stored,
    rules: &Rules,
) -> Vec<Violation> {
    let mut told = Told::default();
    for (worker, lines) in histories {
        told.take(worker, lines);
    }
    let Told {
        intervals,
        mut violations,
    } = told;
    violations.extend(fixed_addresses(&intervals, rules));
    violations.extend(twice_live(&intervals));
    violations.extend(final_store(&intervals, end));
    violations
}

/// No address lives in two places at once.
fn twice_live(intervals: &[Interval]) -> Vec<Violation> {
    let mut by_address: BTreeMap<IpAddr, Vec<&Interval>> = BTreeMap::new();
    for interval in intervals {
        by_address
            .entry(interval.address)
            .or_default()
            .push(interval);
    }
    let mut found = Vec::new();
    for (address, mut lives) in by_address {
        lives.sort_by_key(|interval| interval.from_ns);
        // The one that lasts longest of those that began so far.
        let mut lasting: Option<&Interval> = None;
        for next in lives {
            if let Some(earlier) = lasting.filter(|earlier| earlier.lasts_beyond(next.from_ns)) {
                found.push(Violation::TwiceLive {
                    address,
                    first: Box::new(earlier.life.clone()),
                    second: Box::new(next.life.clone()),
                    at_ns: next.from_ns,
                });
            }
            if lasting.is_none_or(|earlier| earlier.ends() < next.ends()) {
                lasting = Some(next);
            }
        }
    }
    found
}

/// What was given is what was asked for, nobody else's, and a sticky pod's is always the same.
fn fixed_addresses(intervals: &[Interval], rules: &Rules) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut kept = BTreeMap::new();
    let mut in_order: Vec<_> = intervals.iter().collect();
    in_order.sort_by_key(|interval| interval.from_ns);
    for interval in in_order {
        let (address, life) = (interval.address, Box::new(interval.life.clone()));
        if !is_wished(interval, rules, &mut kept) {
            let wish = interval.wish.clone();
            found.push(Violation::NotWished {
                address,
                life,
                wish,
            });
        } else if !is_givable(interval, rules, &kept) {
            found.push(Violation::NotGivable { address, life });
        }
    }
    found
}

/// Which address of a family each sticky pod was given first.
type Kept<'a> = BTreeMap<(&'a str, Family), IpAddr>;

/// A wish is about one family; of another any may be given.
fn is_wished<'a>(interval: &'a Interval, rules: &Rules, kept: &mut Kept<'a>) -> bool {
    let (address, family) = (interval.address, Family::of(interval.address));
    match &interval.wish {
        Wish::Any => true,
        Wish::Exact(wished) => Family::of(*wished) != family || *wished == address,
        Wish::Sticky(pod) => *kept.entry((pod, family)).or_insert(address) == address,
        Wish::Reserved(workload) => rules.reserved.get(workload).is_some_and(|set| {
            let mut families = set.iter().map(|one| Family::of(*one));
            set.contains(&address) || families.all(|one| one != family)
        }),
    }
}

/// Whether nobody else has a right to it.
fn is_givable(interval: &Interval, rules: &Rules, kept: &Kept<'_>) -> bool {
    let address = interval.address;
    let mut sets = rules.reserved.iter();
    let mut pods = kept.iter();
    let not_reserved = sets.all(|(workload, set)| {
        !set.contains(&address) || interval.wish == Wish::Reserved(workload.clone())
    });
    let not_kept = pods.all(|((pod, _), theirs)| {
        *theirs != address || interval.wish == Wish::Sticky((*pod).to_owned())
    });
    rules.usable.contains(&address) && not_reserved && not_kept
}

/// The store says what lives, and nothing else, and says it twice.
fn final_store(intervals: &[Interval], end: &Stored) -> Vec<Violation> {
    let unreadable = end.unreadable.iter().cloned();
    let mut found: Vec<_> = unreadable.map(Violation::Unreadable).collect();
    let live: BTreeSet<(IpAddr, &Life)> = intervals
        .iter()
        .filter(|interval| interval.until_ns.is_none())
        .map(|interval| (interval.address, &interval.life))
        .collect();
    let mut held = BTreeSet::new();
    for (address, record) in &end.addresses {
        let Some(holder) = &record.holder else {
            continue;
        };
        let holder = Life {
            attachment: holder.attachment.clone(),
            incarnation: holder.incarnation.clone(),
        };
        if !says_it_has(end, &holder, *address) {
            found.push(Violation::Disagree {
                attachment: Box::new(holder.attachment.clone()),
                address: *address,
            });
        }
        held.insert((*address, holder));
    }
    for (address, holder) in &held {
        if !live.contains(&(*address, holder)) {
            let (address, holder) = (*address, Box::new(holder.clone()));
            found.push(Violation::Leaked { address, holder });
        }
    }
    for (address, life) in live {
        if !held.contains(&(address, life.clone())) {
            let life = Box::new(life.clone());
            found.push(Violation::Lost { address, life });
        }
    }
    found.extend(attachments_without_addresses(&held, end));
    found
}

fn says_it_has(end: &Stored, holder: &Life, address: IpAddr) -> bool {
    let record = end.attachments.get(&holder.attachment);
    record.is_some_and(|record| {
        record.phase == Phase::Live
            && record.incarnation == holder.incarnation
            && record.addresses.contains(&address)
    })
}

/// Attachments that name an address which does not name them.
fn attachments_without_addresses<'a>(
    held: &'a BTreeSet<(IpAddr, Life)>,
    end: &'a Stored,
) -> impl Iterator<Item = Violation> + 'a {
    let named = end.attachments.iter().flat_map(|(id, record)| {
        let life = Life {
            attachment: id.clone(),
            incarnation: record.incarnation.clone(),
        };
        let addresses = record.addresses.iter();
        addresses.map(move |address| (*address, life.clone()))
    });
    let wrong = named.filter(|pair| !held.contains(pair));
    wrong.map(|(address, life)| Violation::Disagree {
        attachment: Box::new(life.attachment),
        address,
    })
}
