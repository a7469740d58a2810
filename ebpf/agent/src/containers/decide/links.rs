//! Which links there are to be.

use std::collections::BTreeMap;

use super::pods::{PodView, Pods};
use super::{LinkState, Seen, Step};
use crate::containers::apply::{Hook, LinkName, Target};

/// Links that nobody wants, or whose cgroup is gone.
pub(super) fn unwanted(seen: &Seen<'_>, pods: &Pods<'_>) -> Vec<Step> {
    let wanted: BTreeMap<LinkName, Target> =
        all(pods).map(|target| (target.name, target)).collect();
    let over = |(name, state): &(&LinkName, &LinkState)| !state.alive || !wanted.contains_key(name);
    let links = seen.links.iter().filter(over);
    links.map(|(name, _)| Step::Detach(*name)).collect()
}

/// Links that are missing, or whose program this agent has not put there.
pub(super) fn wanted(seen: &Seen<'_>, pods: &Pods<'_>) -> Vec<Step> {
    let done = |target: &Target| {
        let state = seen.links.get(&target.name);
        state.is_some_and(|state| state.alive && state.constant == Some(target.constant))
    };
    all(pods)
        .filter(|target| !done(target))
        .map(Step::Attach)
        .collect()
}

fn all(pods: &Pods<'_>) -> impl Iterator<Item = Target> {
    pods.iter().flat_map(|(_, view)| targets(view))
}

fn targets(view: &PodView<'_>) -> Vec<Target> {
    let target = |hook, constant| Target {
        name: LinkName {
            pod: view.cgroup.cgroup,
            hook,
        },
        path: view.cgroup.path.clone(),
        constant,
    };
    let mut targets: Vec<Target> = view
        .tcp
        .map(|slot| target(Hook::Tcp, slot))
        .into_iter()
        .collect();
    if view.split {
        let level = view.cgroup.level.saturating_add(1);
        targets.extend(Hook::SPLIT.map(|hook| target(hook, level)));
    }
    targets
}
