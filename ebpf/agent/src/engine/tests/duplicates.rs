//! What counts an interface once more is found, removed, and told.

use super::*;

#[test]
fn links_that_count_twice_are_seen_by_the_audit_and_removed_by_the_next_pass() {
    let One {
        kernel,
        shared,
        mut engine,
        found,
        ..
    } = One::new(wanted(0, 1));
    let now = Moment {
        time: Timestamp::UNIX_EPOCH,
        uptime: Duration::ZERO,
    };
    let told = || {
        let troubles = shared.notes().troubles.clone();
        let links = troubles.links().into_iter();
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
