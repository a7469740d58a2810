//! GC, with the list of what CRI-O has.

use super::{Crio, drivers};
use crate::ground::{Kind, files};

#[test]
fn gc_ends_what_is_gone_whether_the_cache_knows_it_or_not() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        for ground in drivers(kind) {
            let crio = Crio::new(&ground);
            let live = ground.container("live");
            crio.add(&live);
            let address = live.netns.addresses("eth0")[0];
            // Ended while CRI-O was down: one is in the cache, of the other nothing is left there.
            let [known, lost] = ["known", "lost"].map(|id| ground.container(id));
            crio.add(&known);
            lost.add().success();
            drop((known, lost));

            let crio = Crio::new(&ground);
            crio.status().success();
            crio.gc(&["live"]).success();
            assert_eq!(crio.known(), ["live"]);
            assert_eq!(ground.held(), [address]);
            let records = files(&ground.node().file("run/attachments"));
            assert_eq!(records, ["live-eth0.json"]);
            live.assert_connected(address);
            crio.check("live").success();

            crio.gc(&["live"]).success();
            crio.check("live").success();
            crio.gc(&[]).success();
            assert_eq!(live.netns.links(), [""; 0], "its DEL came first");
            ground.assert_clean("an empty list");
        }
    }
}

/// A container whose ADD is done while the list is on its way is not on it.
#[test]
fn case_46_gc_spares_what_lives_and_is_not_on_the_list() {
    for ground in drivers(Kind::Embedded) {
        let crio = Crio::new(&ground);
        let late = ground.container("late");
        let address = late.add().address();
        crio.gc(&["other"]).success();
        late.assert_connected(address);
        assert_eq!(ground.held(), [address]);
        late.del().success();
        ground.assert_clean("after its DEL");
    }
}
