//! What the environment may say wrongly: cases 1 to 5, 11 and 47.

use e2e::debian;
use e2e::plugin::{Call, Reply};
use e2e::process::Measured;
use serde_json::json;

use crate::container::assert_names;
use crate::ground::{Ground, Kind, WIDE};
use crate::schema;

/// Calls the plugin with exactly these variables.
#[track_caller]
fn call(ground: &Ground, variables: &[(&str, &str)], stdin: &[u8]) -> Reply {
    let mut command = ground.node().command(&ground.plugin.bin);
    command
        .env_clear()
        .env("PATH", debian::PATH)
        .envs(variables.iter().copied());
    let measured = Measured::start(&mut command, stdin).expect("start the plugin");
    let reply = Reply::new(measured.finish().expect("wait for the plugin"));
    if !reply.status.success() {
        schema::assert_error(&reply);
    }
    reply
}

#[test]
fn case_01_a_missing_verb_is_code_4_and_names_the_variable() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let config = ground.config().to_string();
    for set in [&[][..], &[("CNI_COMMAND", "")], &[("CNI_CONTAINERID", "a")]] {
        let error = call(&ground, set, config.as_bytes()).failure();
        assert_names(&error, 4, &["CNI_COMMAND"]);
    }
}

#[test]
fn case_02_an_unknown_verb_is_code_4_and_is_repeated() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let config = ground.config().to_string();
    for verb in ["FOO", "add", "Add", "ADD "] {
        let set = [
            ("CNI_COMMAND", verb),
            ("CNI_CONTAINERID", "a"),
            ("CNI_IFNAME", "eth0"),
        ];
        let error = call(&ground, &set, config.as_bytes()).failure();
        assert_names(&error, 4, &["CNI_COMMAND", &format!("{verb:?}")]);
        assert!(
            error.details.contains("DEL"),
            "the verbs there are: {error:?}"
        );
    }
    ground.assert_clean("unknown verbs");
}

#[test]
fn case_03_every_missing_variable_is_named() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let netns = container.netns.path().to_str().expect("UTF-8");
    let all = [
        ("CNI_CONTAINERID", "a"),
        ("CNI_NETNS", netns),
        ("CNI_IFNAME", "eth0"),
    ];
    let config = container.config.to_string();
    for verb in ["ADD", "CHECK", "DEL"] {
        for bits in 0..8_u32 {
            let is_set = |n: &usize| bits & (1 << n) != 0;
            let given = (0..3).filter(is_set).map(|n| all[n]);
            let set: Vec<_> = [("CNI_COMMAND", verb)].into_iter().chain(given).collect();
            let needed = |name: &str| verb != "DEL" || name != "CNI_NETNS";
            let missing: Vec<_> = (0..3)
                .filter(|n| !is_set(n))
                .map(|n| all[n].0)
                .filter(|name| needed(name))
                .collect();
            if missing.is_empty() {
                continue;
            }
            let error = call(&ground, &set, config.as_bytes()).failure();
            assert_names(&error, 4, &missing);
        }
    }
    ground.assert_clean("missing variables");
}

#[test]
fn case_04_a_malformed_container_id_is_code_4_with_the_value() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    let long = "c".repeat(129);
    for id in ["-a", ".a", "_a", "a/b", "../a", "a b", "a\n", "ä", &long] {
        for verb in ["ADD", "DEL", "CHECK"] {
            let call = Call {
                container: id,
                ..container.call_of(verb)
            };
            let error = container.answer(&call).failure();
            assert_names(&error, 4, &["CNI_CONTAINERID", &format!("{id:?}")]);
        }
    }
    let empty = Call {
        container: "",
        ..container.call_of("ADD")
    };
    assert_names(&container.answer(&empty).failure(), 4, &["CNI_CONTAINERID"]);
    ground.assert_clean("malformed container ids");
}

#[test]
fn case_05_a_malformed_interface_name_is_code_4_with_the_value() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let container = ground.container("a");
    for name in ["sixteen-bytes-xx", ".", "..", "a/b", "a:b", "a b", "a\tb"] {
        for verb in ["ADD", "DEL", "CHECK"] {
            let call = Call {
                ifname: name,
                ..container.call_of(verb)
            };
            let error = container.answer(&call).failure();
            assert_names(&error, 4, &["CNI_IFNAME", &format!("{name:?}")]);
        }
    }
    ground.assert_clean("malformed interface names");
    let longest = Call {
        ifname: "fifteen-bytes-x",
        ..container.call_of("ADD")
    };
    container.answer(&longest).success();
    assert_eq!(container.netns.links(), ["fifteen-bytes-x"]);
}

#[test]
fn case_11_version_needs_nothing() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let alone: &[(&str, &str)] = &[("CNI_COMMAND", "VERSION")];
    // As podman asks.
    let dummies = [
        ("CNI_COMMAND", "VERSION"),
        ("CNI_IFNAME", "dummy"),
        ("CNI_NETNS", "dummy"),
        ("CNI_PATH", "dummy"),
        ("CNI_CONTAINERID", ""),
        ("CNI_ARGS", ""),
    ];
    let asked = [
        (alone, "", "1.1.0"),
        (&dummies[..], r#"{"cniVersion":"1.0.0"}"#, "1.0.0"),
        (alone, r#"{"cniVersion":"0.4.0"}"#, "0.4.0"),
        (alone, "nonsense", "1.1.0"),
    ];
    for (set, stdin, spoken) in asked {
        let reply = call(&ground, set, stdin.as_bytes());
        schema::assert_reply(
            &Call {
                command: "VERSION",
                ..Call::default()
            },
            &reply,
        );
        let answer = reply.success();
        assert_eq!(answer["cniVersion"], spoken, "{stdin}");
        assert_eq!(
            answer["supportedVersions"],
            json!(schema::VERSIONS),
            "{stdin}"
        );
    }
}

#[test]
fn case_47_status_needs_no_cni_path() {
    let ground = Ground::new(Kind::Embedded, WIDE);
    let reply = call(
        &ground,
        &[("CNI_COMMAND", "STATUS")],
        ground.config().to_string().as_bytes(),
    );
    reply.success();
    assert_eq!(reply.stdout, "");
}
