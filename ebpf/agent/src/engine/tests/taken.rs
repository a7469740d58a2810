//! Slots that go on from another version's.

use super::*;
use crate::ledger::Former;

/// Its namespace ended without DEL: nobody will ever put our programs in the place of theirs.
#[test]
fn what_another_version_counted_is_settled_when_the_interface_is_gone_and_its_record_is_not() {
    let One {
        kernel,
        shared,
        mut engine,
        found,
        name,
    } = One::new(wanted(0, 1));
    let mut pass = |seconds| {
        let now = Moment {
            time: Timestamp::UNIX_EPOCH,
            uptime: Duration::from_secs(seconds),
        };
        engine.pass(&found, now, &|| false).unwrap();
    };
    pass(0);
    let slot = *shared.ledger().slots().keys().next().unwrap();
    let former = Former {
        abi: 7,
        slot: 3,
        generation: 1,
    };
    let taken = shared.ledger().change(slot, |taken| {
        taken.identity.former = Some(former);
        // Theirs.
        taken.identity.program = 99;
    });
    taken.unwrap();
    let settled = || shared.ledger().slots()[&slot].identity.former.is_none();
    // The links of a device that is gone stay, without it.
    kernel.world().devices.remove(&name);
    pass(10);
    assert!(!settled(), "a run that had begun may still count");
    pass(12);
    assert!(settled(), "nobody counts there any more");
    assert!(
        shared.ledger().slots()[&slot].ended.is_none(),
        "it has not ended"
    );
}
