//! Killed at every step: whatever call is killed wherever, the DEL that follows leaves no link, no
//! held address and no record.

mod add;
mod any_moment;
mod bandwidth;
mod del;
mod delegated;
mod delegation;
mod gc;
mod journal;
mod ovs;
mod takeover;
mod wire;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;

use e2e::netns::Netns;
use e2e::plugin::{Plugin, Reply, target_dir};

use crate::container::Container;
use crate::ground::Ground;

/// How the programs under test are built.
const BUILD: &str = "cargo build -p berth-cni --features fault-injection --bin berth-faults --bin berth-ipam-faults";
/// `SIGKILL`.
const KILLED: i32 = 9;

/// A container before the call that is killed.
pub(crate) struct Subject<'a> {
    pub(crate) container: Container<'a>,
    /// The namespace of an earlier life under the same id.
    earlier: Option<Netns>,
}

impl<'a> From<Container<'a>> for Subject<'a> {
    fn from(container: Container<'a>) -> Self {
        Self {
            container,
            earlier: None,
        }
    }
}

impl<'a> Subject<'a> {
    /// One that was added.
    #[track_caller]
    pub(crate) fn added(container: Container<'a>) -> Self {
        container.add().success();
        Self::from(container)
    }
}

impl Subject<'_> {
    /// DEL, after which nothing of it is left, and another container can be started.
    #[track_caller]
    pub(crate) fn assert_del_cleans(&self, ground: &Ground, place: &str) {
        self.container.del().success();
        self.assert_gone(ground, place);
        let other = ground.container("other");
        other.add().success();
        other.del().success();
    }

    /// Nothing of it is left anywhere.
    #[track_caller]
    fn assert_gone(&self, ground: &Ground, place: &str) {
        let namespaces = [Some(&self.container.netns), self.earlier.as_ref()];
        for netns in namespaces.into_iter().flatten() {
            assert_eq!(
                netns.links(),
                [""; 0],
                "links of {} after {place}",
                netns.name()
            );
        }
        ground.assert_clean(place);
    }
}

/// `berth` with its kill points.
pub(crate) fn fault() -> Plugin {
    fault_of("berth-faults")
}

/// That program with its kill points.
fn fault_of(program: &str) -> Plugin {
    let bin = target_dir().join(program);
    assert!(bin.is_file(), "{} is missing: run `{BUILD}`", bin.display());
    Plugin::at(bin)
}

/// Calls `act` once to see which places it passes, and then once for each place, killed there.
///
/// `prepare` makes a subject under the id it is given; `settle` puts things right and looks. The
/// places are returned, in the order in which they were passed.
#[track_caller]
pub(crate) fn at_every_place<'a>(
    ground: &Ground,
    prepare: impl Fn(&str) -> Subject<'a>,
    act: impl Fn(&Plugin, &Container<'_>) -> Reply,
    settle: impl Fn(&Subject<'_>, &str),
) -> Vec<String> {
    at_every_place_of(&fault(), ground, prepare, act, settle)
}

/// The same with a program of the test's choice.
#[track_caller]
fn at_every_place_of<'a>(
    program: &Plugin,
    ground: &Ground,
    prepare: impl Fn(&str) -> Subject<'a>,
    act: impl Fn(&Plugin, &Container<'_>) -> Reply,
    settle: impl Fn(&Subject<'_>, &str),
) -> Vec<String> {
    let trace = ground.node().file("trace");
    let name = trace.display().to_string();
    let tracing = program.clone().with_env("BERTH_FAULT_TRACE", &name);
    let traced = prepare("traced");
    let reply = act(&tracing, &traced.container);
    assert!(reply.status.code().is_some(), "{reply:?}");
    settle(&traced, "no kill");
    let mut places: Vec<String> = Vec::new();
    for place in fs::read_to_string(&trace)
        .expect("places were passed")
        .lines()
    {
        if !places.iter().any(|known| known == place) {
            places.push(place.to_owned());
        }
    }
    fs::remove_file(trace).expect("remove the trace");
    for (n, place) in places.iter().enumerate() {
        let subject = prepare(&format!("killed-{n}"));
        let reply = act(
            &program.clone().with_env("BERTH_KILL_AT", place),
            &subject.container,
        );
        assert_eq!(
            reply.status.signal(),
            Some(KILLED),
            "at {place}: {reply:#?}"
        );
        settle(&subject, place);
    }
    places
}

/// An ADD or DEL with a plugin of the test's choice.
pub(crate) fn call(plugin: &Plugin, container: &Container<'_>, command: &str) -> Reply {
    plugin.call(container.node, &container.call_of(command))
}

/// An ADD with a plugin of the test's choice, as [`at_every_place`] calls it.
pub(crate) fn call_add(plugin: &Plugin, container: &Container<'_>) -> Reply {
    call(plugin, container, "ADD")
}

/// A DEL, the same way.
pub(crate) fn call_del(plugin: &Plugin, container: &Container<'_>) -> Reply {
    call(plugin, container, "DEL")
}

/// A container whose ADD was killed at `place`.
fn unfinished<'a>(ground: &'a Ground, id: &str, place: &str) -> Container<'a> {
    let container = ground.container(id);
    let reply = call(&fault().with_env("BERTH_KILL_AT", place), &container, "ADD");
    assert_eq!(
        reply.status.signal(),
        Some(KILLED),
        "at {place}: {reply:#?}"
    );
    container
}

#[track_caller]
pub(crate) fn assert_passed(places: &[String], expected: &[&str]) {
    for place in expected {
        assert!(
            places.iter().any(|passed| passed == place),
            "{place} is not among {places:?}"
        );
    }
}
