//! CHECK and STATUS in short: cases 37, 38, 48 and 49. More is in `check` and `status`.

use std::time::Duration;

use serde_json::json;

use crate::container::assert_names;
use crate::ground::{Ground, Kind, NARROW, WIDE};

#[test]
fn case_37_check_without_the_adds_result_is_code_7() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    container.add().success();
    let error = container.answer(&container.call_of("CHECK")).failure();
    assert_names(&error, 7, &["prevResult"]);
    for nonsense in [json!(null), json!("x"), json!({"ips": [{"address": "x"}]})] {
        assert_names(&container.check(&nonsense).failure(), 7, &["prevResult"]);
    }
}

#[test]
fn case_38_check_passes_right_after_add() {
    for kind in [Kind::Embedded, Kind::Etcd] {
        let ground = Ground::new(kind, WIDE);
        for version in ["0.4.0", "1.0.0", "1.1.0"] {
            let container = ground.container("a").with("/cniVersion", json!(version));
            let result = container.add().success().clone();
            let reply = container.check(&result);
            reply.success();
            assert_eq!(reply.stderr, "");
            container.del().success();
        }
    }
}

/// The pool may be another pod's by annotation, so that an exhausted one does not say that no ADD
/// can be served.
#[test]
fn case_48_status_is_ok_with_an_exhausted_pool_and_add_says_101() {
    let ground = Ground::new(Kind::Embedded, NARROW);
    let containers: Vec<_> = (0..13)
        .map(|n| ground.container(&format!("c{n}")))
        .collect();
    for container in &containers {
        container.add().success();
    }
    let last = ground.container("one-too-many");
    let error = last.add().failure();
    assert_names(&error, 101, &["prod", "13 of 13"]);
    assert_eq!(last.netns.links(), [""; 0]);
    assert_eq!(ground.held().len(), 13);
    ground.status(&ground.config()).success();
    containers[4].del().success();
    last.add().success();
}

#[test]
fn case_49_status_answers_at_once_with_etcd_down() {
    let mut ground = Ground::new(Kind::Etcd, WIDE);
    ground.patience_ms = 1000;
    let config = ground.config();
    ground.etcd().pause();
    for case in ["paused", "killed"] {
        let reply = ground.status(&config);
        reply.success();
        assert!(
            reply.elapsed < Duration::from_secs(1),
            "{case}: {:?}",
            reply.elapsed
        );
        ground.etcd().resume();
        ground.etcd().kill();
    }
}
