//! What is asked for and not served is refused, and CHECK does with what there is.

use std::fs;

use serde_json::{Value, json};

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE};

const ANNOTATIONS: &str = "io.kubernetes.cri.pod-annotations";

#[test]
fn what_a_later_release_serves_is_refused_by_name_and_del_goes_on() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let annotated = |name: &str| json!({ANNOTATIONS: {name: "x"}});
    let cases = [
        (
            json!({"bandwidth": {"ingressRate": 999, "ingressBurst": 1000}}),
            "runtimeConfig.bandwidth.ingressRate",
        ),
        (annotated("berth.dev/reservation"), "berth.dev/reservation"),
        (annotated("berth.dev/sticky"), "berth.dev/sticky"),
        (
            annotated("kubernetes.io/ingress-bandwidth"),
            "kubernetes.io/ingress-bandwidth",
        ),
        (
            annotated("kubernetes.io/egress-bandwidth"),
            "kubernetes.io/egress-bandwidth",
        ),
    ];
    for (asked, named) in cases {
        let container = ground.container("a").with("/runtimeConfig", asked.clone());
        container.refused(7, &[named]);
        container.del().success();

        // The annotation was set after the container was started.
        let container = ground.container("b");
        container.add().success();
        let container = container.with("/runtimeConfig", asked);
        container.del().success();
        ground.assert_clean(named);
    }
}

#[test]
fn name_servers_that_no_runtime_could_read_are_refused() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    for dns in [json!(5), json!({"nameservers": "10.0.0.53"})] {
        ground.container("a").with("/dns", dns).refused(7, &["dns"]);
    }
}

#[test]
fn check_goes_by_the_nodes_record_when_the_result_lists_nothing_of_ours() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let address = container.add().address().to_string();
    let nothing = json!({"cniVersion": "1.1.0", "interfaces": [], "ips": []});
    container.check(&nothing).success();
    container.netns.ip(&["address", "flush", "dev", "eth0"]);
    let error = container.check(&nothing).failure();
    assert_names(&error, 999, &["eth0", &address]);
}

#[test]
fn check_passes_on_local_evidence_when_the_store_cannot_be_opened() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let result = container.add().success().clone();
    let file = ground.node().file("file");
    fs::write(&file, "").expect("write a file");
    let unusable = json!({"embedded": file});
    let container = container.with("/ipam/store", unusable);
    let reply = container.check(&result);
    reply.success();
    assert!(reply.stderr.contains("warning"), "{}", reply.stderr);
    container.netns.ip(&["link", "set", "eth0", "down"]);
    assert_names(&container.check(&result).failure(), 999, &["eth0", "down"]);
}

#[test]
fn an_error_about_a_file_says_what_to_look_at() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let file = ground.node().file("file");
    fs::write(&file, "").expect("write a file");
    let container = ground
        .container("a")
        .with("/runDir", Value::from(file.display().to_string()));
    let error = container.add().failure();
    assert_names(&error, 5, &[&file.display().to_string()]);
    assert!(error.details.contains("owner"), "{error:?}");
}
