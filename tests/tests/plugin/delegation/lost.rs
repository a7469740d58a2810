//! DEL where the node's files are lost, and no store knows the attachment.

use std::fs;

use super::{assert_clean, container, ground, host_local};
use crate::ground::{Ground, Kind, WIDE};

fn lose_files(ground: &Ground) {
    fs::remove_dir_all(ground.node().file("run")).expect("lose the files");
}

#[test]
fn del_knows_the_interface_by_its_mark_and_calls_the_plugin() {
    for switched in [false, true] {
        let ground = if switched {
            Ground::switched(Kind::Embedded, WIDE)
        } else {
            ground()
        };
        let [ours, others] = ["a", "b"].map(|id| container(&ground, id, &host_local(&ground)));
        ours.add().success();
        let other = others.add().address();
        lose_files(&ground);
        ours.del().success();
        ours.del().success();
        assert_eq!(ours.netns.links(), [""; 0], "switched: {switched}");
        assert_eq!(super::given(&ground), [other.to_string()]);
        // Case 26: the path leads to another container's namespace by now.
        let wrong = e2e::plugin::Call {
            netns: Some(others.netns.path()),
            ..ours.call_of("DEL")
        };
        ours.answer(&wrong).success();
        others.assert_connected(other);
        others.del().success();
        assert_clean(&ground, "files lost");
    }
}

#[test]
fn del_of_a_container_that_is_gone_with_its_files_calls_the_plugin() {
    let ground = ground();
    let section = host_local(&ground);
    let container = container(&ground, "a", &section);
    container.add().success();
    let (id, config) = (container.id.clone(), container.config.clone());
    drop(container);
    lose_files(&ground);
    let call = e2e::plugin::Call::new("DEL", &id, None, &config);
    ground.plugin.call(ground.node(), &call).success();
    assert_clean(&ground, "all lost");
}
