//! The store, and what it knows of this node.

use berth_types::{PoolName, PoolRecord, PoolState};

use super::known;
use crate::doctor::line::Line;
use crate::doctor::seen::{Seen, SeenStore};

/// How far clocks may differ before somebody should look, in seconds. Nothing but the times in
/// records, and the certificates, depends on it.
const TOLERATED_S: i64 = 2;

/// It answers, is one store, and is open.
pub(super) fn store(seen: &Seen<SeenStore>) -> Line {
    let check = "store";
    let remedy = "see that its endpoints are right, reachable from here and healthy";
    let store = match known(check, seen, remedy) {
        Ok(store) => store,
        Err(line) => return line,
    };
    if let Some(reason) = &store.closed {
        let found = format!("it is closed, and gives no address: {reason}");
        return Line::failure(check, found, "see `cnictl store status`");
    }
    if store.mixed {
        let found = "its endpoints are of more than one store";
        return Line::failure(check, found, "name the members of one cluster only");
    }
    Line::ok(check, format!("open, store {}", store.lineage))
}

/// The node's name is its own.
pub(super) fn node_name(store: &SeenStore) -> Line {
    match &store.not_ours {
        None => Line::ok("node-name", "no other machine has it"),
        Some((found, remedy)) => Line::failure("node-name", found, remedy),
    }
}

/// The pools are there and hand out addresses.
pub(super) fn pools(store: &SeenStore) -> Vec<Line> {
    if store.pools.is_empty() {
        return vec![Line::skipped(
            "pool",
            "the configuration names none: pods name theirs",
        )];
    }
    store
        .pools
        .iter()
        .map(|(name, pool)| one_pool(name, pool))
        .collect()
}

fn one_pool(name: &PoolName, pool: &Result<PoolRecord, String>) -> Line {
    match pool {
        Err(problem) => Line::failure(
            "pool",
            problem,
            format!("cnictl pool create {name}, or correct \"pool\""),
        ),
        Ok(pool) if pool.state == PoolState::Draining => {
            let found = format!("{name} hands out nothing: it is drained");
            Line::warning("pool", found, format!("cnictl pool resume {name}"))
        }
        Ok(pool) => Line::ok(
            "pool",
            format!("{name} has {}", crate::output::addresses(pool.size())),
        ),
    }
}

/// The store's clock, where it tells.
pub(super) fn clock(store: &SeenStore) -> Option<Line> {
    let ahead = store.ahead_s?;
    let apart = ahead.unsigned_abs();
    Some(if ahead.abs() <= TOLERATED_S {
        Line::ok(
            "store-clock",
            format!("within {TOLERATED_S} s of this host's"),
        )
    } else {
        let side = if ahead > 0 { "ahead of" } else { "behind" };
        let found = format!("the store's clock is {apart} s {side} this host's");
        Line::warning(
            "store-clock",
            found,
            "synchronise both by NTP: times in records are compared by people",
        )
    })
}
