use berth_ipam::Stickiness;
use serde_json::{Value, json};

use super::*;
use crate::spec::{Code, MainConfig};

/// The pod of most tests.
const POD: &str = "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=cart-0;K8S_POD_UID=u1";

fn wanted(change: impl Fn(&mut Value)) -> Result<Wanted, CniError> {
    wanted_by("", change)
}

/// With `CNI_ARGS`.
fn wanted_by(args: &str, change: impl Fn(&mut Value)) -> Result<Wanted, CniError> {
    let mut config = json!({
        "cniVersion": "1.1.0", "name": "pods", "master": "uplink0",
        "ipam": {"pool": "prod", "store": {"embedded": "/var/lib/berth/ipam"}},
        "runtimeConfig": {"io.kubernetes.cri.pod-annotations": {}},
    });
    change(&mut config);
    let call = Invocation::parse(|name| {
        let value = match name {
            "CNI_COMMAND" => "ADD",
            "CNI_CONTAINERID" => "c1",
            "CNI_IFNAME" => "eth0",
            "CNI_NETNS" => "/run/netns/c1",
            "CNI_ARGS" => args,
            _ => return None,
        };
        Some(value.to_owned())
    })?;
    Wanted::new(
        &call,
        &MainConfig::parse(config.to_string().as_bytes())?.common,
    )
}

fn annotate(config: &mut Value, annotations: &[(&str, &str)]) {
    for (name, value) in annotations {
        config["runtimeConfig"]["io.kubernetes.cri.pod-annotations"][*name] = json!(value);
    }
}

/// The wish of the pod with these annotations.
fn wish(annotations: &[(&str, &str)]) -> Result<Wish, CniError> {
    wanted_by(POD, |c| annotate(c, annotations)).map(|wanted| wanted.wish)
}

#[track_caller]
fn assert_refused(refused: Result<impl std::fmt::Debug, CniError>, named: &[&str]) {
    let error = refused.unwrap_err();
    assert_eq!(error.code(), Code::InvalidConfig, "{error}");
    for name in named {
        assert!(error.to_string().contains(name), "{name} is not in {error}");
    }
}

#[test]
fn pools_are_a_list_here_or_in_the_annotation_which_is_heard_first() {
    let listed = wanted(|c| c["ipam"]["pool"] = json!(["a", "b"])).unwrap();
    let names = |wish: Wish| {
        wish.pools
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(names(listed.wish), ["a", "b"]);
    let annotated = wish(&[("berth.dev/pool", "x, y,x")]).unwrap();
    assert_eq!(names(annotated), ["x", "y"]);
    let long = "p".repeat(300);
    for wrong in ["", "a,,b", "a/b", "A", &long] {
        assert_refused(wish(&[("berth.dev/pool", wrong)]), &["berth.dev/pool"]);
    }
    assert_refused(wanted(|c| c["ipam"]["pool"] = Value::Null), &["ipam.pool"]);
}

#[test]
fn one_address_of_each_family_may_be_asked_for() {
    let asked = wish(&[("berth.dev/addresses", "fd00::5, 10.20.1.5/24")]).unwrap();
    let expected = ["fd00::5", "10.20.1.5"].map(|raw| raw.parse::<std::net::IpAddr>().unwrap());
    assert_eq!(asked.exact, expected);
    for two in ["10.20.1.5,10.20.1.6", "fd00::5,fd00::5"] {
        assert_refused(
            wish(&[("berth.dev/addresses", two)]),
            &["berth.dev/addresses", "at most one IPv4 and one IPv6"],
        );
    }
    // IPv4 in the clothes of IPv6 is IPv4.
    let mapped = wish(&[("berth.dev/addresses", "::ffff:10.20.1.5,10.20.1.6")]);
    assert_refused(mapped, &["berth.dev/addresses"]);
}

#[test]
fn case_15_args_win_over_cni_args() {
    let asked = wanted_by("IP=10.20.1.9", |c| {
        c["args"] = json!({"cni": {"ips": ["10.20.1.8"]}});
    });
    assert_eq!(
        asked.unwrap().wish.exact,
        ["10.20.1.8".parse::<std::net::IpAddr>().unwrap()]
    );
}

#[test]
fn a_reservation_is_of_the_pods_namespace() {
    let asked = wish(&[("berth.dev/reservation", "cart")]).unwrap();
    assert_eq!(asked.reservation.unwrap().to_string(), "shop/workload/cart");
    let long = "x".repeat(300);
    for wrong in ["", "a/b", "Cart", "other/workload/cart", &long] {
        assert_refused(
            wish(&[("berth.dev/reservation", wrong)]),
            &["berth.dev/reservation"],
        );
    }
    let nobody = |c: &mut Value| annotate(c, &[("berth.dev/reservation", "cart")]);
    assert_refused(
        wanted(nobody),
        &["berth.dev/reservation", "K8S_POD_NAMESPACE"],
    );
    let named = wanted_by(POD, |c| {
        nobody(c);
        c["ipam"]["pool"] = Value::Null;
    });
    assert!(
        named.unwrap().wish.pools.is_empty(),
        "it names its own pool"
    );
}

#[test]
fn sticky_is_true_or_false_and_needs_a_pod() {
    let stickiness = |raw| wish(&[("berth.dev/sticky", raw)]).map(|wish| wish.stickiness);
    assert_eq!(stickiness("true"), Ok(Stickiness::Sticky));
    assert_eq!(stickiness("false"), Ok(Stickiness::Loose));
    assert_eq!(wish(&[]).unwrap().stickiness, Stickiness::AsPool);
    for wrong in ["", "yes", "True", "1"] {
        assert_refused(
            stickiness(wrong),
            &["berth.dev/sticky", &format!("{wrong:?}")],
        );
    }
    let sticky = |c: &mut Value| annotate(c, &[("berth.dev/sticky", "true")]);
    for nobody in [
        "",
        "K8S_POD_NAMESPACE=shop",
        "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=My_Pod",
    ] {
        assert_refused(
            wanted_by(nobody, sticky),
            &["berth.dev/sticky", "K8S_POD_NAME"],
        );
    }
}

#[test]
fn what_contradicts_itself_is_refused_by_both_places() {
    let sticky = ("berth.dev/sticky", "true");
    for other in [
        ("berth.dev/reservation", "cart"),
        ("berth.dev/addresses", "10.20.1.5"),
    ] {
        assert_refused(wish(&[sticky, other]), &["berth.dev/sticky", other.0]);
        assert!(wish(&[("berth.dev/sticky", "false"), other]).is_ok());
    }
    let by_runtime = wanted_by(POD, |c| {
        annotate(c, &[sticky]);
        c["runtimeConfig"]["ips"] = json!(["10.20.1.5"]);
    });
    assert_refused(by_runtime, &["berth.dev/sticky", "runtimeConfig.ips"]);
}

#[test]
fn a_pods_name_that_cannot_stand_in_a_path_is_refused() {
    let long = "n".repeat(300);
    for wrong in ["a/b", "a b", &long] {
        for variable in ["K8S_POD_NAMESPACE", "K8S_POD_NAME", "K8S_POD_UID"] {
            let given = wanted_by(&format!("{variable}={wrong}"), |_| {});
            assert_refused(given, &[variable]);
        }
    }
    // podman's containers have names that no pod has.
    assert!(wanted_by("K8S_POD_NAME=My_Container.1", |_| {}).is_ok());
}

#[test]
fn annotations_of_others_are_their_business() {
    let others = wanted(|c| annotate(c, &[("example.org/x", "y")]));
    assert!(others.is_ok(), "{others:?}");
}

#[test]
fn limits_come_from_the_runtime_or_the_annotations() {
    let with = |value: Value| wanted(|c| c["runtimeConfig"]["bandwidth"] = value.clone());
    let none = Limits::default();
    for nothing in [Value::Null, json!({}), json!({"ingressRate": 0})] {
        assert_eq!(
            with(nothing.clone()).unwrap().limits,
            none,
            "case: {nothing}"
        );
    }
    let limits = with(json!({"ingressRate": 1000})).unwrap().limits;
    assert!(limits.ingress.is_some() && limits.egress.is_none());
    let annotated = wanted(|c| annotate(c, &[("kubernetes.io/egress-bandwidth", "7M")]));
    let egress = annotated.unwrap().limits.egress.unwrap();
    assert_eq!(egress.rate.bits(), 7_000_000);
    let name = "kubernetes.io/ingress-bandwidth";
    assert_refused(
        wanted(|c| annotate(c, &[(name, "10Q")])),
        &[name, "\"10Q\""],
    );
    let field = "runtimeConfig.bandwidth.ingressRate";
    assert_refused(with(json!({"ingressRate": 999})), &[field, "999"]);
}

#[test]
fn what_only_this_ipam_could_give_is_refused_where_another_plugin_gives_the_addresses() {
    let other = |c: &mut Value| c["ipam"] = json!({"type": "host-local"});
    let plain = wanted_by(POD, other).unwrap().wish;
    assert!(plain.pools.is_empty() && plain.pod.is_some());
    for name in [
        "berth.dev/pool",
        "berth.dev/addresses",
        "berth.dev/reservation",
        "berth.dev/sticky",
    ] {
        let asked = wanted(|c| {
            other(c);
            annotate(c, &[(name, "true")]);
        });
        assert_refused(asked, &[name, "host-local"]);
    }
    let mac = wanted(|c| {
        other(c);
        annotate(c, &[("berth.dev/mac", "02:00:00:00:00:01")]);
    });
    assert!(mac.unwrap().mac.is_some());
}

#[test]
fn the_workload_that_traffic_is_summed_up_by_is_taken_from_its_annotation_or_refused() {
    let of = |value: &str| {
        wanted_by(POD, |c| annotate(c, &[("berth.dev/workload", value)]))
            .map(|wanted| wanted.workload)
    };
    assert_eq!(of("carts").unwrap().as_deref(), Some("carts"));
    assert_eq!(wanted(|_| {}).unwrap().workload, None);
    for wrong in ["", "two\nlines", &"x".repeat(254)] {
        assert_refused(of(wrong), &["berth.dev/workload", "253"]);
    }
}
