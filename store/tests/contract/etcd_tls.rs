//! TLS with client certificates, all made here.

use std::fs;
use std::path::PathBuf;

use berth_store::{AnyStore, EtcdConfig, Read, Store as _, StoreConfig, StoreError};
use etcd_testing::{Authority, Etcd};
use tempfile::TempDir;

use crate::fixture::put;

fn config(authority: &Authority, server: &Etcd, client: &str) -> EtcdConfig {
    EtcdConfig {
        ca: Some(authority.file("ca", "pem")),
        cert: Some(authority.file(client, "pem")),
        key: Some(authority.file(client, "key")),
        ..EtcdConfig::plain([server.endpoint()])
    }
}

/// Two authorities with a server and a client certificate each.
fn authorities(folder: &TempDir) -> [Authority; 2] {
    ["ours", "others"].map(|name| {
        let authority = Authority::new(folder.path(), name);
        authority.sign("server");
        authority.sign("client");
        authority
    })
}

async fn read(config: EtcdConfig) -> Result<(), StoreError> {
    let store = AnyStore::open(&StoreConfig::Etcd(config))?;
    store
        .read(&[Read::Get(b"a".into())])
        .await
        .map(|_answer| ())
}

#[test]
fn a_client_certificate_opens_the_door() {
    let folder = TempDir::new().expect("temporary folder");
    let [ours, _] = authorities(&folder);
    let server = ours.serve();
    crate::block_on(async {
        let store = AnyStore::open(&StoreConfig::Etcd(config(&ours, &server, "client")));
        let store = store.expect("open");
        put(&store, "a", "secret").await;
        let answer = store.read(&[Read::Get(b"a".into())]).await.expect("read");
        assert_eq!(answer.lists[0][0].value, b"secret");
    });
}

#[test]
fn a_server_of_another_authority_is_not_trusted() {
    let folder = TempDir::new().expect("temporary folder");
    let [ours, others] = authorities(&folder);
    let server = ours.serve();
    let config = EtcdConfig {
        ca: Some(others.file("ca", "pem")),
        ..config(&ours, &server, "client")
    };
    let error = crate::block_on(read(config)).expect_err("wrong authority");
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    let words = error.to_string();
    assert!(
        words.contains("certificate") && words.contains(&server.endpoint()),
        "{words}"
    );
}

#[test]
fn a_client_the_server_does_not_know_is_rejected() {
    let folder = TempDir::new().expect("temporary folder");
    let [ours, others] = authorities(&folder);
    let server = ours.serve();
    let stranger = EtcdConfig {
        cert: Some(others.file("client", "pem")),
        key: Some(others.file("client", "key")),
        ..config(&ours, &server, "client")
    };
    let nameless = EtcdConfig {
        cert: None,
        key: None,
        ..config(&ours, &server, "client")
    };
    for config in [stranger, nameless] {
        let error = crate::block_on(read(config)).expect_err("no entry");
        let words = error.to_string();
        assert!(matches!(error, StoreError::Rejected { .. }), "{error:?}");
        assert!(words.contains("alert"), "{words}");
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    type Change = fn(&mut EtcdConfig, PathBuf);
    let folder = TempDir::new().expect("temporary folder");
    let [ours, _] = authorities(&folder);
    let config = |change: Change, path: &str| {
        let mut config = EtcdConfig {
            ca: Some(ours.file("ca", "pem")),
            cert: Some(ours.file("client", "pem")),
            key: Some(ours.file("client", "key")),
            ..EtcdConfig::plain(["https://127.0.0.1:1".to_owned()])
        };
        change(&mut config, folder.path().join(path));
        StoreConfig::Etcd(config)
    };
    fs::write(folder.path().join("text"), "hello").expect("write");
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    fs::write(folder.path().join("broken"), broken).expect("write");
    let cases: [(Change, &str, &str); 4] = [
        (|config, path| config.ca = Some(path), "missing", "ca "),
        (|config, path| config.cert = Some(path), "text", "cert "),
        (|config, path| config.key = Some(path), "missing", "key "),
        (
            |config, path| config.key = Some(path),
            "broken",
            "https://127.0.0.1:1: ",
        ),
    ];
    for (change, path, words) in cases {
        let error = AnyStore::open(&config(change, path)).expect_err(path);
        assert!(
            matches!(error, StoreError::Rejected { .. }),
            "{path}: {error:?}"
        );
        assert!(error.to_string().contains(words), "{path}: {error}");
    }
}
