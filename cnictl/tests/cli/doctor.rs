//! `cnictl doctor` where there is nothing to find.

use std::fs;

use crate::support::{Site, finish, program};

#[test]
fn a_place_without_configurations_is_told_from_one_that_does_not_exist() {
    let site = Site::new();
    let folder = site.file("net.d");
    let doctor = || {
        let mut command = program();
        command
            .args(["doctor", "-o", "json", "--conf"])
            .arg(&folder);
        finish(&mut command)
    };
    let absent = doctor();
    assert_eq!((absent.code, absent.out.as_str()), (64, ""), "{absent:?}");
    assert!(absent.err.contains("net.d"), "{absent:?}");

    fs::create_dir(&folder).unwrap();
    fs::write(
        folder.join("10-other.conf"),
        r#"{"name": "x", "type": "bridge"}"#,
    )
    .unwrap();
    fs::write(folder.join("README"), "no configuration").unwrap();
    let empty = doctor();
    assert_eq!(empty.code, 2, "{empty:?}");
    assert!(empty.out.contains("no network of type berth"), "{empty:?}");

    fs::write(folder.join("20-broken.conflist"), "{").unwrap();
    let broken = doctor();
    assert_eq!(broken.code, 2, "{broken:?}");
    assert!(broken.out.contains("20-broken.conflist"), "{broken:?}");
}

#[test]
fn lines_for_people_begin_with_the_state_and_end_with_what_to_do() {
    let site = Site::new();
    let conf = site.file("10-pods.conf");
    fs::write(
        &conf,
        r#"{"cniVersion": "1.1.0", "name": "pods", "type": "berth"}"#,
    )
    .unwrap();
    let ran = finish(program().args(["doctor", "--conf"]).arg(&conf));
    assert_eq!(ran.code, 2, "{ran:?}");
    let line = ran.out.lines().find(|line| line.contains("configuration"));
    let line = line.unwrap_or_else(|| panic!("{ran:?}"));
    assert!(
        line.starts_with("failure") && line.contains("pods"),
        "{line}"
    );
    assert!(
        line.contains("master: null") && line.contains("; to do: "),
        "{line}"
    );
    assert_eq!(ran.err, "", "no progress where nobody looks");
}

#[test]
fn a_time_limit_that_cannot_be_is_refused() {
    for raw in ["0", "601", "soon", "-1"] {
        let ran = finish(program().args(["doctor", &format!("--timeout={raw}")]));
        assert_eq!(ran.code, 64, "{raw}: {ran:?}");
        assert!(ran.err.contains("--timeout"), "{raw}: {ran:?}");
    }
}
