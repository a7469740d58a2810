//! Paths as they were seen.

use super::*;
use proptest::prelude::*;

const UID: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
const UNDERSCORED: &str = "0a1b2c3d_4e5f_6071_8293_a4b5c6d7e8f9";
const STATIC: &str = "0123456789abcdef0123456789abcdef";
const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa11111111111111111111111111111111";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb22222222222222222222222222222222";

fn written(pattern: &str) -> String {
    pattern
        .replace("<uid>", UID)
        .replace("<uid_>", UNDERSCORED)
        .replace("<static>", STATIC)
        .replace("<a>", A)
        .replace("<b>", B)
}

fn uid_key() -> PodKey {
    PodKey::Uid(UID.to_owned())
}

type Row = (&'static str, &'static str, Option<PodKey>, u32);

/// Every row of the table: the path of a container, of which pod, at which level.
#[test]
fn case_41_containers_are_known_by_their_paths() {
    let none = || None;
    let fixed = || Some(PodKey::Uid(STATIC.to_owned()));
    let podman = || Some(PodKey::Podman(B.to_owned()));
    #[rustfmt::skip]
    let rows: [Row; 19] = [
        ("containerd, systemd, burstable", "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid_>.slice/cri-containerd-<a>.scope", Some(uid_key()), 4),
        ("containerd, systemd, best effort", "kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod<uid_>.slice/cri-containerd-<a>.scope", Some(uid_key()), 4),
        ("containerd, systemd, guaranteed", "kubepods.slice/kubepods-pod<uid_>.slice/cri-containerd-<a>.scope", Some(uid_key()), 3),
        ("containerd, cgroupfs, burstable", "kubepods/burstable/pod<uid>/<a>", Some(uid_key()), 4),
        ("containerd, cgroupfs, guaranteed", "kubepods/pod<uid>/<a>", Some(uid_key()), 3),
        ("a static pod, cgroupfs", "kubepods/burstable/pod<static>/<a>", fixed(), 4),
        ("a static pod, systemd", "kubepods.slice/kubepods-pod<static>.slice/cri-containerd-<a>.scope", fixed(), 3),
        ("slice:prefix:name", "system.slice/containerd.service/kubepods-burstable-pod<uid_>.slice:cri-containerd:<a>", Some(uid_key()), 3),
        ("CRI-O, systemd", "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod<uid_>.slice/crio-<a>.scope", Some(uid_key()), 4),
        ("cri-dockerd", "kubepods.slice/kubepods-pod<uid_>.slice/docker-<a>.scope", Some(uid_key()), 3),
        ("docker, systemd", "system.slice/docker-<a>.scope", none(), 2),
        ("docker, cgroupfs", "docker/<a>", none(), 2),
        ("kind, systemd", "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod<uid_>.slice/cri-containerd-<a>.scope", Some(uid_key()), 5),
        ("kind, from outside", "docker/<b>/kubelet/kubepods/burstable/pod<uid>/<a>", Some(uid_key()), 7),
        ("kind, from outside, systemd", "system.slice/docker-<b>.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod<uid_>.slice/cri-containerd-<a>.scope", Some(uid_key()), 6),
        ("podman", "machine.slice/libpod-<a>.scope", none(), 2),
        ("podman, in a pod", "machine.slice/machine-libpod_pod_<b>.slice/libpod-<a>.scope", podman(), 3),
        ("podman, in a pod, cgroupfs", "libpod_parent/libpod_pod_<b>/libpod-<a>", podman(), 3),
        ("a leading slash", "/kubepods/pod<uid>/<a>", Some(uid_key()), 3),
    ];
    for (case, path, pod, level) in rows {
        let path = written(path);
        let id = A.to_owned();
        let role = Role::Container;
        let wanted = Cgroup::Container {
            pod: pod.clone(),
            id: id.clone(),
            level,
            role,
        };
        assert_eq!(identify(&path), wanted, "case: {case}");
        let below = Cgroup::Inner { pod, id, level };
        assert_eq!(
            identify(&format!("{path}/container")),
            below,
            "case: {case}"
        );
    }
}

#[test]
fn containers_without_digits_are_known_by_their_names() {
    for (path, id, level, role) in [
        ("lxc.payload.web", "web", 1, Role::Container),
        ("lxc.monitor.web", "web", 1, Role::Monitor),
        ("podruntime/etcd", "etcd", 2, Role::Container),
    ] {
        let (pod, id) = (None, id.to_owned());
        let wanted = Cgroup::Container {
            pod,
            id,
            level,
            role,
        };
        assert_eq!(identify(path), wanted, "{path}");
    }
}

#[test]
fn a_program_that_watches_a_container_is_not_the_container() {
    for path in [
        "kubepods.slice/kubepods-pod<uid_>.slice/crio-conmon-<a>.scope",
        "machine.slice/libpod-conmon-<a>.scope",
    ] {
        let found = identify(&written(path));
        let watches = matches!(
            &found,
            Cgroup::Container {
                role: Role::Monitor,
                ..
            }
        );
        assert!(watches, "{path}: {found:?}");
    }
}

#[test]
fn pods_are_known_by_their_paths() {
    let podman = PodKey::Podman(B.to_owned());
    let uid = PodKey::Uid(UID.to_owned());
    for (path, pod, level) in [
        ("kubepods.slice/kubepods-pod<uid_>.slice", uid.clone(), 2),
        ("kubepods/besteffort/pod<uid>", uid.clone(), 3),
        ("docker/<b>/kubelet/kubepods/pod<uid>", uid, 5),
        (
            "machine.slice/machine-libpod_pod_<b>.slice",
            podman.clone(),
            2,
        ),
        ("libpod_parent/libpod_pod_<b>", podman, 2),
    ] {
        assert_eq!(
            identify(&written(path)),
            Cgroup::Pod { pod, level },
            "{path}"
        );
    }
}

/// Case 39, and what a container could make to look like another's.
#[test]
fn case_39_what_a_container_makes_below_itself_is_its_own() {
    for path in [
        "kubepods/pod<uid>/<a>/system.slice/ssh.service",
        "kubepods/pod<uid>/<a>/docker/<b>",
        "kubepods/pod<uid>/<a>/kubepods/pod<static>/<b>",
        "kubepods/pod<uid>/<a>/kubepods.slice/kubepods-pod<static>.slice/cri-containerd-<b>.scope",
    ] {
        let (pod, id, level) = (Some(uid_key()), A.to_owned(), 3);
        assert_eq!(
            identify(&written(path)),
            Cgroup::Inner { pod, id, level },
            "{path}"
        );
    }
}

#[test]
fn what_is_nearly_a_pod_or_container_is_neither() {
    for path in [
        "",
        "/",
        "//",
        "init.scope",
        "kubepods.slice",
        "kubepods/burstable",
        "system.slice/ssh.service",
        "kubepods/pod",
        "kubepods/pod<uid>x",
        "kubepods/pod<uid>-0",
        "kubepods/xpod<uid>",
        "kubepods/pod0a1b2c3d-4e5f-6071-8293a-4b5c6d7e8f9",
        "kubepods/pod0A1B2C3D-4E5F-6071-8293-A4B5C6D7E8F9",
        "kubepods/podé1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9",
        "kubepods/pod<uid>/aaaa",
        "kubepods/pod<uid>/x<a>",
        "kubepods/pod<uid>/<a>0",
        "kubepods/pod<uid>/other/<a>",
        "libpod_parent/libpod_pod_<static>",
    ] {
        assert_eq!(identify(&written(path)), Cgroup::Other, "{path}");
    }
}

proptest! {
    #[test]
    fn no_path_is_too_strange(path in ".{0,300}") {
        identify(&path);
    }

    #[test]
    fn no_path_of_likely_parts_is_too_strange(
        parts in prop::collection::vec(
            prop::sample::select(vec![
                "kubepods.slice", "pod", ".slice", ":", "cri-containerd-", "crio-conmon-", "_", "-",
                "/", "libpod_pod_", "lxc.payload.", "podruntime/", UID, UNDERSCORED, STATIC, A, "é",
            ]),
            0..12,
        ),
    ) {
        identify(&parts.concat());
    }

    #[test]
    fn a_container_is_the_same_below_whatever_prefix(
        prefix in "([a-z.]{1,8}/){0,6}",
        below in "(/[a-z0-9.:_-]{1,70}){0,4}",
        uid in "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        id in "[0-9a-f]{64}",
    ) {
        prop_assume!(!prefix.contains("lxc") && !prefix.contains("podruntime"));
        let levels = u32::try_from(prefix.matches('/').count()).unwrap();
        let systemd = format!("{prefix}kubepods-pod{}.slice/cri-containerd-{id}.scope{below}", uid.replace('-', "_"));
        let cgroupfs = format!("{prefix}pod{uid}/{id}{below}");
        for path in [systemd, cgroupfs] {
            let (pod, found, level) = match identify(&path) {
                Cgroup::Container { pod, id, level, .. } => { prop_assert!(below.is_empty()); (pod, id, level) }
                Cgroup::Inner { pod, id, level } => { prop_assert!(!below.is_empty()); (pod, id, level) }
                other => return Err(TestCaseError::fail(format!("{path}: {other:?}"))),
            };
            prop_assert_eq!((pod, found, level), (Some(PodKey::Uid(uid.clone())), id.clone(), levels + 2));
        }
    }
}
