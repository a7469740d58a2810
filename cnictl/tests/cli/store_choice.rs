//! Which store is asked: flag before environment before file.

use std::fs;
use std::net::TcpListener;

use crate::support::{Ran, Site, finish, program};

/// The names of the pools that a command without `--store` sees.
fn pools(ran: &Ran) -> Vec<String> {
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.out
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next().map(str::to_owned))
        .collect()
}

#[test]
fn the_flag_goes_before_the_environment_and_that_before_the_file() {
    let sites = ["flag", "environment", "file"].map(|name| {
        let site = Site::new();
        site.done(&format!("pool create {name} --subnet 10.0.0.0/24"));
        site
    });
    let [flag, environment, file] = &sites;
    let config = file.file("config.toml");
    let folder = file.file("store");
    fs::write(
        &config,
        format!("[store]\nembedded = {:?}\n", folder.to_str().unwrap()),
    )
    .unwrap();
    let list = || {
        let mut command = program();
        command.args(["pool", "list", "--config"]).arg(&config);
        command
    };
    assert_eq!(pools(&finish(&mut list())), ["file"]);
    let from_environment = finish(list().env("BERTH_STORE", environment.argument()));
    assert_eq!(pools(&from_environment), ["environment"]);
    let both = finish(
        list()
            .env("BERTH_STORE", environment.argument())
            .args(["--store", &flag.argument()]),
    );
    assert_eq!(pools(&both), ["flag"]);
}

#[test]
fn a_store_that_cannot_be_is_named_with_the_field() {
    let site = Site::new();
    let config = site.file("config.toml");
    for (text, words) in [
        ("[store]\nembeded = \"/x\"", "unknown variant `embeded`"),
        (
            "[store]\nembedded = \"x\"",
            "store.embedded: \"x\" is not an absolute path",
        ),
        ("[store.etcd]\nendpoints = []", "names no endpoint"),
        (
            "[store.etcd]\nendpoints = [\"http://h:1\"]\ntimeoutMs = 7",
            "store.etcd.timeoutMs: \"7\"",
        ),
        (
            "[store.etcd]\nendpoints = [\"http://h:1\"]\ncert = \"/c\"",
            "store.etcd.key go together",
        ),
        ("store = 1", "config.toml: "),
        ("", "missing field `store`"),
        ("[stores]", "unknown field `stores`"),
    ] {
        fs::write(&config, text).unwrap();
        let ran = finish(program().args(["pool", "list", "--config"]).arg(&config));
        assert_eq!((ran.code, ran.out.as_str()), (64, ""), "{text}: {ran:?}");
        assert!(
            ran.err.starts_with("error: ") && ran.err.contains("\n  hint: "),
            "{text}: {ran:?}"
        );
        assert!(ran.err.contains(words), "{text}: {ran:?}");
    }
    for (store, words) in [
        ("redis:/x", "store: \"redis:/x\" is neither"),
        ("", "store: \"\" is neither"),
        ("embedded:x", "is not an absolute path"),
        ("etcd:10.0.0.1:2379", "must begin with http"),
        ("etcd:http://10.0.0.1", ":PORT"),
    ] {
        for by_flag in [["--store", store].as_slice(), &[]] {
            let mut command = program();
            let ran = finish(
                command
                    .args(["pool", "list"])
                    .args(by_flag)
                    .env("BERTH_STORE", store),
            );
            assert_eq!(ran.code, 64, "{store}: {ran:?}");
            assert!(ran.err.contains(words), "{store}: {ran:?}");
        }
    }
    let missing = finish(
        program()
            .args(["pool", "list", "--config"])
            .arg(site.file("none.toml")),
    );
    assert_eq!(missing.code, 64, "{missing:?}");
    assert!(missing.err.contains("none.toml"), "{missing:?}");
}

#[test]
fn a_mistyped_folder_is_not_an_empty_store() {
    let site = Site::with_pool();
    let typo = format!("embedded:{}", site.file("stor").display());
    for line in ["pool list", "ip list", "release 10.20.1.2 --yes"] {
        let ran = finish(
            program()
                .args(["--store", &typo])
                .args(line.split_whitespace()),
        );
        assert_eq!(ran.code, 64, "{line}: {ran:?}");
        assert!(
            ran.err.contains("no store in that folder"),
            "{line}: {ran:?}"
        );
    }
    assert!(!site.file("stor").exists());
}

#[test]
fn a_store_that_does_not_answer_ends_with_2() {
    // A port that nobody listens on, and one where nobody answers.
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [closed, silent.local_addr().unwrap()] {
        let site = Site::new();
        let config = site.file("config.toml");
        let text = format!("[store.etcd]\nendpoints = [\"http://{address}\"]\ntimeoutMs = 300\n");
        fs::write(&config, text).unwrap();
        for line in [
            "pool list",
            "pool show prod",
            "pool create prod --subnet 10.20.1.0/24",
            "pool delete prod --yes",
            "ip list",
            "ip show 10.20.1.2",
            "release 10.20.1.2 --yes",
            "pool set prod --cooldown 1m",
            "reserve list",
            "reserve create shop/cart --pool prod --count 1",
            "reserve delete shop/cart --yes",
            "ip history 10.20.1.2",
            "ip who 10.20.1.2",
        ] {
            let mut command = program();
            command
                .arg("--config")
                .arg(&config)
                .args(line.split_whitespace());
            let ran = finish(&mut command);
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{line}: {ran:?}");
            assert!(ran.err.contains(&address.to_string()), "{line}: {ran:?}");
            assert!(ran.err.contains("\n  hint: "), "{line}: {ran:?}");
        }
    }
    let site = Site::new();
    fs::create_dir(site.file("store")).unwrap();
    fs::write(site.file("store/data.mdb"), "this is no database").unwrap();
    let ran = site.run("pool list");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("data.mdb"), "{ran:?}");
}
