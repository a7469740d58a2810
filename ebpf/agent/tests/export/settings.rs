//! What makes no sense is refused before anything is served.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use traffic_agent::export::ExportOptions;
use traffic_agent::http::{Server, Settings};

use crate::given::{self, Told};

/// What the server says to these settings.
fn answer(settings: &Settings) -> Result<(), (String, &'static str)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let source = Told::new(given::empty());
    let bound = runtime.block_on(Server::bind(settings, ExportOptions::default(), source));
    bound.map(drop).map_err(|error| {
        let mut words = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            words = format!("{words}: {error}");
            cause = error.source();
        }
        (words, error.hint())
    })
}

fn refusal(settings: &Settings) -> String {
    let (words, hint) = answer(settings).expect_err("refused");
    assert!(!hint.is_empty());
    words
}

fn local() -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        ..Settings::default()
    }
}

/// A certificate of the test's own and its key, in two files.
pub(crate) fn certificate(folder: &Path) -> (PathBuf, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()]);
    let made = made.unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    fs::write(&cert, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key)
}

/// A file with a token in it.
pub(crate) fn token(folder: &Path, text: &str, mode: u32) -> PathBuf {
    let path = folder.join("token");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

#[test]
fn the_default_is_this_machine_only() {
    assert_eq!(Settings::default().listen.to_string(), "127.0.0.1:9455");
    assert_eq!(answer(&local()), Ok(()));
    let listen = "[::1]:0".parse().unwrap();
    assert_eq!(answer(&Settings { listen, ..local() }), Ok(()));
}

#[test]
fn case_54_any_other_address_needs_tls_and_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path());
    let token = token(folder.path(), &"x".repeat(32), 0o600);
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:127.0.0.1]:0"] {
        let open = Settings {
            listen: listen.parse().unwrap(),
            ..local()
        };
        let with_tls = Settings {
            tls_cert: Some(cert.clone()),
            tls_key: Some(key.clone()),
            ..open.clone()
        };
        let with_token = Settings {
            token_file: Some(token.clone()),
            ..open.clone()
        };
        assert!(refusal(&open).contains("neither --tls-cert and --tls-key nor --token-file"));
        assert!(refusal(&with_tls).ends_with("--token-file is not given"));
        assert!(refusal(&with_token).ends_with("--tls-cert and --tls-key is not given"));
    }
}

#[test]
fn half_of_a_pair_and_files_that_are_none_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = certificate(folder.path());
    let nothing = folder.path().join("nothing");
    let with = |cert: Option<&PathBuf>, key: Option<&PathBuf>| Settings {
        tls_cert: cert.cloned(),
        tls_key: key.cloned(),
        ..local()
    };
    assert_eq!(answer(&with(Some(&cert), Some(&key))), Ok(()));
    assert_eq!(
        refusal(&with(Some(&cert), None)),
        "--tls-cert is given without --tls-key"
    );
    assert_eq!(
        refusal(&with(None, Some(&key))),
        "--tls-key is given without --tls-cert"
    );
    assert!(refusal(&with(Some(&nothing), Some(&key))).contains("No such file"));
    assert!(refusal(&with(Some(&key), Some(&key))).starts_with("--tls-cert "));
    assert!(refusal(&with(Some(&cert), Some(&cert))).starts_with("--tls-key "));
    let other = folder.path().join("other");
    fs::create_dir(&other).unwrap();
    let (_, stranger) = certificate(&other);
    assert!(refusal(&with(Some(&cert), Some(&stranger))).starts_with("--tls-cert and --tls-key"));
}

#[test]
fn a_token_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let with = |text: &str, mode| Settings {
        token_file: Some(token(folder.path(), text, mode)),
        ..local()
    };
    assert_eq!(answer(&with(&"x".repeat(16), 0o640)), Ok(()));
    assert!(refusal(&with("short", 0o600)).contains("less than 16 characters"));
    assert!(refusal(&with(&"x".repeat(32), 0o644)).contains("(mode 644)"));
    assert!(refusal(&with("two words are no token", 0o600)).contains("blanks"));
}

#[test]
fn hosts_that_are_none_and_addresses_that_are_taken_are_refused() {
    let hosts = Settings {
        allow_hosts: vec!["http://node-1".to_owned()],
        ..local()
    };
    assert_eq!(
        refusal(&hosts),
        "--allow-host: \"http://node-1\" is no host name or address"
    );
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap();
    let words = refusal(&Settings { listen, ..local() });
    assert!(
        words.starts_with(&format!("--listen {listen}: ")),
        "{words}"
    );
}
