//! The benchmark: berth beside Debian's macvlan + host-local, in turn, on the same parent; and its
//! driver `ovs` beside Debian's bridge + host-local.
//!
//! Every plugin is called by the same code, from a thread that is already on the node, with a
//! fresh container namespace made beforehand. The plugins take turns call by call, and the one
//! that begins changes, so that whatever disturbs the machine disturbs all alike. After every
//! turn the answers are checked: no failure, no address twice, nothing left behind.

pub mod carried;
pub mod contender;
pub mod ipam;
pub mod limits;
pub mod report;
pub mod switched;
pub mod traffic;
pub mod wire;

use std::collections::BTreeSet;
use std::io;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::lan::{Lan, LanOptions, Node};
use crate::netns::Netns;
use crate::ovs::Ovs;
use crate::plugin::Reply;
use crate::process::Measured;

use contender::{Contender, Setup};
use report::{Figures, Report};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Whom {
    /// Plugins that make interfaces on the node's uplink.
    Interfaces,
    /// Plugins that make ports of a bridge.
    Switched,
    /// IPAM plugins, as interface plugins call them.
    Ipam,
    /// Plugins that make interfaces and limit their traffic.
    Bandwidth,
}

/// How much to measure.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What.
    pub whom: Whom,
    /// ADDs and DELs one after the other, for each contender. At most 200.
    pub calls: u8,
    /// ADDs at once. At most 200: every contender has one /24.
    pub at_once: u8,
    /// How often the ADDs at once are repeated.
    pub rounds: u8,
}

/// Measures all contenders, and the floor under them.
///
/// # Panics
/// When a program is missing, a call fails, an address is given twice, or anything is left
/// behind: then there are no figures worth printing.
pub fn run(plan: Plan) -> Report {
    let lan = Lan::new(&LanOptions::default());
    let node = lan.node("n1");
    let setup = Setup::new(&node);
    let switch = (plan.whom == Whom::Switched).then(|| Ovs::start(&node));
    let contenders = match (&switch, plan.whom) {
        (Some(ovs), _) => setup.switched_contenders(ovs),
        (None, Whom::Ipam) => setup.ipam_contenders(),
        (None, Whom::Bandwidth) => setup.bandwidth_contenders(),
        (None, Whom::Interfaces | Whom::Switched) => setup.contenders(),
    };

    let mut figures: Vec<Figures> = contenders
        .iter()
        .map(|contender| Figures::new(&contender.name))
        .collect();
    one_after_the_other(&node, &contenders, plan, &mut figures);
    for round in 0..plan.rounds {
        at_once(&node, &contenders, (plan, round), &mut figures);
    }
    setup.nothing_is_held();
    if let Some(ovs) = &switch {
        assert_eq!(ovs.ports(), Vec::<String>::new(), "ports left behind");
    }
    Report::new(plan, figures, floor(&node, plan))
}

/// ADD then DEL of one container after the other, the contenders taking turns.
fn one_after_the_other(node: &Node, contenders: &[Contender], plan: Plan, figures: &mut [Figures]) {
    // The first call of each warms the page cache and is not counted.
    for call in 0..=plan.calls {
        for turn in turns(contenders.len(), call) {
            let (Some(contender), Some(figures)) = (contenders.get(turn), figures.get_mut(turn))
            else {
                continue;
            };
            let container = node.container(&format!("{}-{call}", contender.id));
            let [added, deleted] = node.netns().run(|| {
                let added = chain(contender, |link, previous| {
                    contender.add(link, &container, previous)
                });
                let result = added.success();
                let deleted = chain(contender, |link, _| contender.del(link, &container, result));
                [added, deleted]
            });
            deleted.success();
            assert_eq!(
                container.links(),
                Vec::<String>::new(),
                "{} left a link",
                contender.name
            );
            if call > 0 {
                figures.count_call(&added, &deleted);
            }
        }
    }
}

/// Many ADDs at once, then as many DELs at once, the contenders taking turns.
fn at_once(
    node: &Node,
    contenders: &[Contender],
    (plan, round): (Plan, u8),
    figures: &mut [Figures],
) {
    for turn in turns(contenders.len(), round) {
        let (Some(contender), Some(figures)) = (contenders.get(turn), figures.get_mut(turn)) else {
            continue;
        };
        let name = |n| format!("{}-{round}-{n}", contender.id);
        let containers: Vec<Netns> = (0..plan.at_once)
            .map(|n| node.container(&name(n)))
            .collect();
        let (add_wall, added) = waves(node, contender, &containers, |link, container, previous| {
            contender.add(link, container, previous)
        });
        let results: Vec<_> = added.iter().map(|reply| reply.success().clone()).collect();
        let addresses: BTreeSet<_> = added.iter().map(Reply::address).collect();
        assert_eq!(
            addresses.len(),
            added.len(),
            "{} gave an address twice",
            contender.name
        );

        let result_of = |container: &Netns| {
            let calls = containers.iter().zip(&results);
            let own = calls
                .into_iter()
                .find(|(known, _)| known.path() == container.path());
            own.map(|(_, result)| result).expect("its result")
        };
        let (del_wall, deleted) = waves(node, contender, &containers, |link, container, _| {
            contender.del(link, container, result_of(container))
        });
        for (reply, container) in deleted.iter().zip(&containers) {
            reply.success();
            assert_eq!(
                container.links(),
                Vec::<String>::new(),
                "{} left a link",
                contender.name
            );
        }
        figures.count_round((add_wall, &added), (del_wall, &deleted));
    }
}

/// Calls the plugins of a chain one after the other: the last answer, with the time of all.
fn chain(
    contender: &Contender,
    start: impl Fn(usize, Option<&Value>) -> io::Result<Measured>,
) -> Reply {
    let mut before: Option<Reply> = None;
    for link in 0..contender.links() {
        let running = start(link, before.as_ref().map(Reply::success));
        let running = running.unwrap_or_else(|e| panic!("start {}: {e}", contender.name));
        before = Some(after(before, finish(running)));
    }
    before.expect("a chain has a plugin")
}

/// The chain's first plugin for all containers at once, then the second for all, and so on.
fn waves(
    node: &Node,
    contender: &Contender,
    containers: &[Netns],
    start: impl Fn(usize, &Netns, Option<&Value>) -> io::Result<Measured> + Sync,
) -> (Duration, Vec<Reply>) {
    let mut wall = Duration::ZERO;
    let mut before: Vec<Option<Reply>> = vec![None; containers.len()];
    for link in 0..contender.links() {
        let calls = containers.iter().zip(&before);
        let calls = calls.map(|(container, before)| {
            let start = &start;
            move || start(link, container, before.as_ref().map(Reply::success))
        });
        let (elapsed, replies) = all(node, calls);
        wall += elapsed;
        let both = before.into_iter().zip(replies);
        before = both
            .map(|(before, reply)| Some(after(before, reply)))
            .collect();
    }
    (wall, before.into_iter().flatten().collect())
}

/// An answer with the time of the plugins before it.
fn after(before: Option<Reply>, mut reply: Reply) -> Reply {
    if let Some(before) = before {
        before.success();
        reply.elapsed += before.elapsed;
        reply.cpu += before.cpu;
    }
    reply
}

/// Starts everything before waiting for anything; answers the time until the last one ended.
#[expect(clippy::disallowed_methods, reason = "this is the stop watch")]
fn all<S>(node: &Node, starts: impl Iterator<Item = S> + Send) -> (Duration, Vec<Reply>)
where
    S: FnOnce() -> io::Result<Measured> + Send,
{
    node.netns().run(|| {
        let begin = Instant::now();
        let running: Result<Vec<_>, _> = starts.map(|start| start()).collect();
        let running = running.expect("start the plugin");
        let replies = running.into_iter().map(finish).collect();
        (begin.elapsed(), replies)
    })
}

fn finish(running: Measured) -> Reply {
    Reply::new(running.finish().expect("wait for the plugin"))
}

/// The contenders' order in this turn: everyone is first equally often.
fn turns(count: usize, turn: u8) -> impl Iterator<Item = usize> {
    (0..count).map(move |n| (n + usize::from(turn)) % count)
}

/// What nobody can go below: a process that does nothing, and one that only makes the link.
fn floor(node: &Node, plan: Plan) -> [Figures; 2] {
    let mut empty = Figures::new("an empty process (`true`)");
    let mut link = Figures::new(match plan.whom {
        Whom::Switched => "`ip link add … type veth`, then `ip link del`",
        Whom::Interfaces | Whom::Ipam | Whom::Bandwidth => {
            "`ip link add … type macvlan`, then `ip link del`"
        }
    });
    let bare_link = match plan.whom {
        Whom::Switched => switched::bare_link,
        Whom::Interfaces | Whom::Ipam | Whom::Bandwidth => contender::bare_link,
    };
    for call in 0..=plan.calls {
        let container = node.container(&format!("floor-{call}"));
        let nothing = node.netns().run(|| contender::empty_process().map(finish));
        let nothing = nothing.expect("start `true`");
        let made = node.netns().run(|| bare_link(&container).map(finish));
        let made = made.expect("start `ip`");
        let gone = container
            .run(|| contender::bare_unlink().map(finish))
            .expect("start `ip`");
        for reply in [&nothing, &made, &gone] {
            reply.success();
        }
        if call > 0 {
            empty.count_call(&nothing, &nothing);
            link.count_call(&made, &gone);
        }
    }
    [empty, link]
}
