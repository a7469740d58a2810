//! The choice and the hint's memory, against a model that knows the whole truth.

use std::collections::{BTreeMap, BTreeSet};

use berth_types::{BlockSize, Family, Holder, MacAddr, PoolName, Subnet};
use jiff::Timestamp;
use proptest::prelude::*;

use super::*;

/// 10.0.0.0/26: four blocks of 16; .1 is the gateway, .24 to .27 are excluded.
const BLOCKS: u8 = 4;
const UNUSABLE: [u8; 7] = [0, 1, 24, 25, 26, 27, 63];

fn pool_of(block_size: u32) -> PoolRecord {
    let subnet = Subnet {
        cidr: "10.0.0.0/26".parse().unwrap(),
        gateway: Some(address(1)),
        range: None,
        exclude: vec!["10.0.0.24-10.0.0.27".parse().unwrap()],
        vlan: None,
        routes: vec![],
    };
    PoolRecord::new(vec![subnet], BlockSize::try_from(block_size).unwrap())
}

fn name() -> PoolName {
    "prod".parse().unwrap()
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

fn last(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) => v4.octets()[3],
        IpAddr::V6(_) => panic!("a v4 pool"),
    }
}

fn block(n: u8) -> Block {
    Block {
        first: address(n * 16),
        size: 16,
    }
}

fn id(container: &str) -> AttachmentId {
    format!("n1/pods/{container}/eth0").parse().unwrap()
}

fn incarnation(n: u8) -> Incarnation {
    Incarnation::from_random([n; 16])
}

/// A record that somebody holds, or that everybody may have.
fn record(free: bool) -> AddressRecord {
    let unused = AddressRecord::unused(name());
    let held = unused.held_by(Holder {
        attachment: id("x"),
        incarnation: incarnation(0),
        pod: None,
        mac: MacAddr::of_address(address(9)),
        since: Timestamp::UNIX_EPOCH,
    });
    if free {
        held.released(Timestamp::UNIX_EPOCH)
    } else {
        held
    }
}

fn slot(revision: u64, free: bool) -> SlotHint {
    SlotHint::of(Revision(revision), &record(free), clock(0))
}

fn hint() -> Hint {
    let mut hint = Hint::default();
    hint.learn_pool(Revision(1), pool_of(16));
    hint
}

/// What happened in the store: the n-th write, at revision n + 1, left an address free or held.
type History = Vec<(u8, bool)>;

/// All of a block at a revision: the last write of each of its addresses up to there.
fn view(history: &History, block: Block, at: usize) -> BTreeMap<IpAddr, (usize, bool)> {
    let inside = |a: IpAddr| (block.first..=block.last()).contains(&a);
    let writes = history.iter().take(at).enumerate();
    let writes = writes.filter(|(_, (a, _))| inside(address(*a)));
    writes
        .map(|(n, (a, free))| (address(*a), (n + 1, *free)))
        .collect()
}

fn clock(uptime_ms: u64) -> Clock {
    Clock {
        wall: Timestamp::UNIX_EPOCH,
        uptime_ms,
    }
}

/// A piece of the truth that reaches the hint, in whatever order.
#[derive(Clone, Debug)]
enum News {
    Block { n: u8, mine: bool, at: usize },
    Slot { n: usize },
    Forget { n: u8 },
}

fn news(length: usize) -> impl Strategy<Value = News> {
    prop_oneof![
        4 => (0..BLOCKS, any::<bool>(), 0..=length)
            .prop_map(|(n, mine, at)| News::Block { n, mine, at }),
        4 => (0..length).prop_map(|n| News::Slot { n }),
        1 => (0..BLOCKS).prop_map(|n| News::Forget { n }),
    ]
}

fn story() -> impl Strategy<Value = (History, Vec<News>)> {
    proptest::collection::vec((0_u8..64, any::<bool>()), 1..60).prop_flat_map(|history| {
        let length = history.len();
        (
            Just(history),
            proptest::collection::vec(news(length), 0..24),
        )
    })
}

/// What a hint should know: per block whether it is ours, per address the newest write heard of.
#[derive(Debug, Default)]
struct Model {
    blocks: BTreeMap<u8, bool>,
    slots: BTreeMap<u8, (usize, bool)>,
}

impl Model {
    fn hear(&mut self, history: &History, news: &News) {
        match *news {
            News::Block { n, mine, at } => {
                *self.blocks.entry(n).or_default() |= mine;
                for (address, seen) in view(history, block(n), at) {
                    let known = self.slots.entry(last(address)).or_insert(seen);
                    *known = (*known).max(seen);
                }
            }
            News::Slot { n } => {
                let (address, free) = history[n];
                if self.blocks.contains_key(&(address / 16)) {
                    let known = self.slots.entry(address).or_insert((n + 1, free));
                    *known = (*known).max((n + 1, free));
                }
            }
            News::Forget { n } => {
                self.blocks.remove(&n);
                self.slots.retain(|address, _| address / 16 != n);
            }
        }
    }

    /// The usable addresses of blocks that are ours or not, best first.
    fn free(&self, mine: bool, taken: &BTreeSet<u8>) -> Option<(usize, u8)> {
        let blocks = self.blocks.iter().filter(|(_, m)| **m == mine);
        let addresses = blocks.flat_map(|(n, _)| n * 16..n * 16 + 16);
        let can = |a: &u8| {
            !UNUSABLE.contains(a) && !taken.contains(a) && self.slots.get(a).is_none_or(|s| s.1)
        };
        let addresses = addresses.filter(can);
        addresses
            .map(|a| (self.slots.get(&a).map_or(0, |s| s.0), a))
            .min()
    }
}

fn hear(hint: &mut Hint, history: &History, news: &News) {
    match *news {
        News::Block { n, mine, at } => {
            let slots = view(history, block(n), at);
            let slots = slots
                .into_iter()
                .map(|(a, (r, free))| (a, slot(as_u64(r), free)));
            hint.learn_block(block(n), mine, Revision(as_u64(at)), slots.collect());
        }
        News::Slot { n } => {
            let (last, free) = history[n];
            hint.learn_slot(address(last), slot(as_u64(n + 1), free));
        }
        News::Forget { n } => hint.forget_block(block(n).first),
    }
}

fn as_u64(n: usize) -> u64 {
    u64::try_from(n).unwrap()
}

proptest! {
    #[test]
    fn the_newest_news_of_every_address_is_kept_whatever_order_it_comes_in(
        (history, news) in story(),
    ) {
        let (mut hint, mut model) = (hint(), Model::default());
        for news in &news {
            hear(&mut hint, &history, news);
            model.hear(&history, news);
            let known = hint.blocks.values().flat_map(|block| &block.slots);
            let known: BTreeMap<_, _> = known
                .map(|(address, slot)| (last(*address), (slot.r.0, slot.free.is_some())))
                .collect();
            let expected = model.slots.iter().map(|(a, (r, free))| (*a, (as_u64(*r), *free)));
            prop_assert_eq!(known, expected.collect::<BTreeMap<_, _>>());
        }
    }

    #[test]
    fn the_choice_is_the_longest_free_of_our_own_and_else_of_a_spare_block(
        (history, news) in story(),
        taken in proptest::collection::btree_set(0_u8..64, 0..40),
    ) {
        let (mut hint, mut model) = (hint(), Model::default());
        for news in &news {
            hear(&mut hint, &history, news);
            model.hear(&history, news);
        }
        for address_taken in &taken {
            hint.take(address(*address_taken), &incarnation(1), 1000);
        }
        let (own, spare) = (model.free(true, &taken), model.free(false, &taken));
        let (choice, expected) = match (hint.choose(&name(), Family::V4, 1001), own, spare) {
            (Choice::Own(pick), Some(own), _) => (pick, own),
            (Choice::Claim(pick), None, Some(spare)) => (pick, spare),
            (Choice::Look, None, None) => return Ok(()),
            (choice, own, spare) => {
                let message = format!("{choice:?} for own {own:?}, spare {spare:?}");
                return Err(TestCaseError::fail(message));
            }
        };
        prop_assert_eq!((choice.revision, choice.address), (Revision(as_u64(expected.0)), address(expected.1)));
        prop_assert!(pool_of(16).is_usable(choice.address));
        prop_assert!(choice.block.addresses().any(|a| a == choice.address));
        prop_assert_eq!(choice.record.holder, None);
        prop_assert_eq!(choice.record.previous.is_empty(), expected.0 == 0);
    }

    #[test]
    fn many_calls_at_once_never_choose_the_same_address(
        (history, news) in story(), calls in 1_u8..80,
    ) {
        let mut hint = hint();
        for news in &news {
            hear(&mut hint, &history, news);
        }
        let mut chosen = BTreeSet::new();
        for call in 0..calls {
            let pick = match hint.choose(&name(), Family::V4, 1000) {
                Choice::Own(pick) => pick,
                Choice::Claim(pick) => {
                    hint.assume(pick.block);
                    pick
                }
                Choice::Look => break,
            };
            hint.take(pick.address, &incarnation(call), 1000);
            prop_assert!(chosen.insert(pick.address), "{} is chosen twice", pick.address);
        }
    }

    #[test]
    fn a_hint_in_a_file_is_the_same_hint((history, news) in story()) {
        let mut hint = hint();
        for news in &news {
            hear(&mut hint, &history, news);
        }
        hint.take(address(5), &incarnation(5), 7);
        hint.committed(&[address(6)], &id("a"), Revision(99), &[]);
        let bytes = serde_json::to_vec(&hint).unwrap();
        let read: Hint = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(serde_json::to_vec(&read).unwrap(), bytes);
        prop_assert_eq!(read.choose(&name(), Family::V4, 8), hint.choose(&name(), Family::V4, 8));
    }
}

#[test]
fn an_address_taken_by_a_process_that_died_comes_back() {
    let mut hint = hint();
    hint.learn_block(block(0), true, Revision(1), BTreeMap::new());
    let chosen = |hint: &Hint, now| match hint.choose(&name(), Family::V4, now) {
        Choice::Own(pick) => last(pick.address),
        other => panic!("{other:?}"),
    };
    hint.take(address(2), &incarnation(1), 1000);
    assert_eq!(chosen(&hint, 1000 + TAKEN_FOR_MS - 1), 3);
    assert_eq!(chosen(&hint, 1000 + TAKEN_FOR_MS), 2);
    assert_eq!(chosen(&hint, 5), 2, "a boot ago is long ago");
    hint.untake(&incarnation(2));
    assert_eq!(chosen(&hint, 1001), 3);
    hint.untake(&incarnation(1));
    assert_eq!(chosen(&hint, 1001), 2);
}

#[test]
fn what_is_reserved_or_unproven_is_not_chosen() {
    let mut hint = hint();
    hint.learn_block(block(0), true, Revision(1), BTreeMap::new());
    let reserved = AddressRecord {
        reserved_for: Some("shop/workload/x".parse().unwrap()),
        ..record(true)
    };
    let unproven = AddressRecord {
        unproven: true,
        ..record(true)
    };
    for (n, kept) in [(2, reserved), (3, unproven)] {
        hint.learn_slot(address(n), SlotHint::of(Revision(2), &kept, clock(0)));
    }
    let Choice::Own(pick) = hint.choose(&name(), Family::V4, 0) else {
        panic!("nothing to choose")
    };
    assert_eq!(last(pick.address), 4);
}

fn witness(container: &str, revision: u64) -> Witness {
    Witness {
        id: id(container),
        revision: Revision(revision),
        address: address(5),
    }
}

#[test]
fn witnesses_are_the_newest_live_attachments() {
    let mut hint = hint();
    assert_eq!(hint.witness(), None);
    for n in 1..=20 {
        hint.committed(&[address(5)], &id(&format!("c{n}")), Revision(n), &[]);
    }
    assert_eq!(hint.witness(), Some(&witness("c20", 20)));
    assert_eq!(hint.witnesses.len(), WITNESSES);
    hint.drop_witness(&id("c20"));
    assert_eq!(hint.witness(), Some(&witness("c19", 19)));
    hint.committed(&[address(5)], &id("c15"), Revision(21), &[]);
    assert_eq!(hint.witness(), Some(&witness("c15", 21)));
    assert_eq!(
        hint.witnesses
            .iter()
            .filter(|witness| witness.id == id("c15"))
            .count(),
        1
    );
    assert_eq!(hint.high, Revision(21));
}

#[test]
fn blocks_of_another_size_are_forgotten_with_the_pool_that_had_them() {
    let mut hint = hint();
    hint.learn_block(block(0), true, Revision(1), BTreeMap::new());
    hint.learn_pool(Revision(5), pool_of(16));
    assert!(
        matches!(hint.choose(&name(), Family::V4, 0), Choice::Own(_)),
        "the same size changes nothing"
    );
    hint.learn_pool(Revision(6), pool_of(4));
    assert_eq!(hint.choose(&name(), Family::V4, 0), Choice::Look);
    hint.learn_block(block(0), true, Revision(5), BTreeMap::new());
    assert_eq!(
        hint.choose(&name(), Family::V4, 0),
        Choice::Look,
        "news of the pool that is no more"
    );
    hint.learn_pool(Revision(2), pool_of(16));
    assert_eq!(
        hint.pool.as_ref().map(|(at, _)| *at),
        Some(Revision(6)),
        "older news are none"
    );
}

#[test]
fn an_address_rests_while_there_is_another() {
    let (cooldown, mut hint) = (30_000, hint());
    hint.learn_block(block(0), true, Revision(1), BTreeMap::new());
    let chosen = |hint: &Hint, now| match hint.choose(&name(), Family::V4, now) {
        Choice::Own(pick) => Some(last(pick.address)),
        Choice::Claim(_) | Choice::Look => None,
    };
    let all: Vec<_> = (0..16).map(address).filter(|a| last(*a) > 1).collect();
    hint.committed(&all, &id("a"), Revision(2), &[]);
    let freed = AddressRecord {
        released_at: Some(Timestamp::UNIX_EPOCH),
        ..record(true)
    };
    hint.released(address(7), Revision(3), &freed, clock(1000));
    assert_eq!(
        chosen(&hint, 1000 + cooldown - 1),
        None,
        "another block first"
    );
    assert_eq!(chosen(&hint, 1000 + cooldown), Some(7));
    hint.note_dry(2000);
    assert_eq!(
        chosen(&hint, 2001),
        Some(7),
        "nothing rested in all of the pool"
    );
    assert_eq!(chosen(&hint, 2000 + 5000), None, "that was a while ago");
}

#[test]
fn a_block_that_nobody_uses_any_more_is_given_back_unless_it_is_the_last() {
    let (minute, mut hint) = (60_000, hint());
    hint.learn_block(block(0), true, Revision(1), BTreeMap::new());
    hint.committed(&[address(5), address(6)], &id("a"), Revision(2), &[]);
    let released = |hint: &mut Hint, last, revision| {
        hint.released(
            address(last),
            Revision(revision),
            &record(true),
            clock(1000),
        );
    };
    released(&mut hint, 5, 3);
    assert_eq!(hint.idle_block(1000 + minute), None, "one is held");
    released(&mut hint, 6, 4);
    assert_eq!(hint.idle_block(1000 + minute), None, "it is the last");
    hint.learn_block(block(1), true, Revision(4), BTreeMap::new());
    assert_eq!(hint.idle_block(1000 + minute - 1), None, "a moment ago");
    assert_eq!(hint.idle_block(1000 + minute), Some(block(0)));
    hint.committed(&[address(5)], &id("b"), Revision(5), &[]);
    assert_eq!(hint.idle_block(1000 + minute), None, "in use again");
}
