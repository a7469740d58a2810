//! What a pod belongs to.

use berth_types::{NetworkName, PodRef};

use crate::model::WorkloadName;

/// The characters of generated names (`k8s.io/apimachinery/pkg/util/rand`): no vowels, no 0, 1, 3.
const GENERATED: &str = "bcdfghjklmnpqrstvwxz2456789";

/// What the interfaces of a pod are summed up by: what its annotation says, else its name
/// without what a controller added. Containers outside Kubernetes are summed up by network.
pub fn workload(
    pod: Option<&PodRef>,
    network: &NetworkName,
    annotation: Option<&str>,
) -> WorkloadName {
    let Some(pod) = pod else {
        return WorkloadName {
            namespace: String::new(),
            kind: "network".into(),
            name: network.to_string(),
        };
    };
    let said = annotation.filter(|name| !name.is_empty());
    let (kind, name) = match said {
        Some(name) => ("annotation", name),
        None => ("name", without_suffix(&pod.name)),
    };
    WorkloadName {
        namespace: pod.namespace.clone(),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

/// A pod's name without what its controller added: `-<hash>-<5>` of a `Deployment`, `-<number>` of a
/// `StatefulSet`, `-<5>` of a `DaemonSet`, `ReplicaSet` or `Job`, `-<minutes>-<5>` of a `CronJob`.
fn without_suffix(name: &str) -> &str {
    let Some((rest, last)) = name.rsplit_once('-').filter(|(rest, _)| !rest.is_empty()) else {
        return name;
    };
    if is_ordinal(last) {
        return rest;
    }
    if last.len() != 5 || !is_generated(last) {
        return name;
    }
    match rest.rsplit_once('-') {
        Some((deployment, hash))
            if !deployment.is_empty() && (is_hash(hash) || is_minutes(hash)) =>
        {
            deployment
        }
        _ => rest,
    }
}

fn is_generated(part: &str) -> bool {
    part.chars().all(|c| GENERATED.contains(c))
}

/// The hash of a pod template: up to ten characters, and no fewer than six in practice.
fn is_hash(part: &str) -> bool {
    matches!(part.len(), 6..=10)
        && is_generated(part)
        && part.contains(|c: char| c.is_ascii_digit())
}

/// The minute a `CronJob` was due, since 1970.
fn is_minutes(part: &str) -> bool {
    part.len() == 8 && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// The number of a `StatefulSet`'s pod, written without leading zeroes.
fn is_ordinal(part: &str) -> bool {
    matches!(part.len(), 1..=4)
        && part.bytes().all(|byte| byte.is_ascii_digit())
        && (part == "0" || !part.starts_with('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pods_name_loses_what_its_controller_added() {
        let cases = [
            ("deployment", "web-7d4b9c6f5d-x2x7z", "web"),
            (
                "deployment with dashes",
                "web-front-6b8f9d7c45-bcd24",
                "web-front",
            ),
            ("stateful set", "db-0", "db"),
            ("stateful set, many", "db-1234", "db"),
            ("daemon set", "agent-x2x7z", "agent"),
            ("job", "import-x2x7z", "import"),
            ("cron job", "backup-29384756-x2x7z", "backup"),
            ("bare pod", "debug", "debug"),
            ("bare pod with a dash", "my-shell", "my-shell"),
            ("five letters with vowels", "api-cache", "api-cache"),
            ("a version is no number of a set", "app-007", "app-007"),
            ("nothing before the dash", "-x2x7z", "-x2x7z"),
            ("empty", "", ""),
        ];
        for (case, name, expected) in cases {
            assert_eq!(without_suffix(name), expected, "case: {case}");
        }
    }

    #[test]
    fn the_annotation_wins_over_the_name() {
        let pod = PodRef {
            namespace: "shop".into(),
            name: "web-7d4b9c6f5d-x2x7z".into(),
            uid: String::new(),
        };
        let network: NetworkName = "pods".parse().unwrap();
        let of = |annotation| {
            let found = workload(Some(&pod), &network, annotation);
            format!("{}/{}/{}", found.namespace, found.kind, found.name)
        };
        assert_eq!(of(Some("a")), "shop/annotation/a");
        assert_eq!(of(Some("")), "shop/name/web");
        assert_eq!(of(None), "shop/name/web");
        let outside = workload(None, &network, None);
        assert_eq!(outside.name, "pods");
    }
}
