//! What counts an interface once more is found, removed, and told.

use super::kernel::{Kernel, name_of};
use super::*;

#[test]
fn links_that_count_twice_are_seen_by_the_audit_and_removed_by_the_next_pass() {
    let kernel = Kernel::new();
    let ledger = Ledger::open(kernel.clone(), Duration::ZERO).unwrap();
    let shared = Shared::new(ledger);
    let hold = Duration::from_secs(2);
    let mut engine = Engine::new(Arc::clone(&shared), kernel.clone(), hold, Vec::new());
    let mut found = Found::default();
    let new = wanted(0, 1);
    let name = name_of(&new.identity.place);
    found.wanted.insert(new.identity.life(), new);
    kernel.world().devices.insert(name, 0);
    let now = Moment {
        time: Timestamp::UNIX_EPOCH,
        uptime: Duration::ZERO,
    };
    let told = || {
        let troubles = shared.notes().troubles.clone();
        let links = troubles.links.iter();
        let there: Vec<_> = links
            .filter(|links| links.state == "duplicate")
            .map(|links| (links.hook, links.links))
            .collect();
        (there, troubles.duplicates_removed)
    };
    engine.pass(&found, now, &|| false).unwrap();
    engine.audit(&|| false);
    assert_eq!(told(), (vec![], [0, 0]), "all is well");
    kernel.world().duplicates = [2, 1];
    engine.audit(&|| false);
    let both = vec![("receive", 2), ("transmit", 1)];
    assert_eq!(told(), (both, [0, 0]), "they are found");
    engine.pass(&found, now, &|| false).unwrap();
    assert_eq!(told(), (vec![], [2, 1]), "they are removed");
    engine.audit(&|| false);
    engine.pass(&found, now, &|| false).unwrap();
    assert_eq!(told(), (vec![], [2, 1]), "and do not come back");
}
