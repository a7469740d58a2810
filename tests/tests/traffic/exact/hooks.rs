//! Programs on an interface, by whatever the kernel has: links of TCX, or filters of clsact.

use std::os::fd::{AsFd as _, OwnedFd};

use aya::programs::tc::{self, NlOptions, SchedClassifier, TcAttachOptions, TcHandle};
use aya::programs::{LinkOrder, TcAttachType};
use nix::net::if_::if_nametoindex;
use traffic_agent::kernel::bpf::{self, Hook, Order};

use crate::engine::hook::hook;

/// Where another program stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    Before,
    Behind,
}

/// Attaches `program` to `device` of the thread's namespace: until what is returned is dropped, or,
/// where there is nothing to return, as long as the device lives.
pub(crate) fn attach(program: &mut SchedClassifier, device: &str, at: Hook) -> Option<OwnedFd> {
    if hook() == "clsact" {
        filter(program, device, kind(at), 2);
        return None;
    }
    let ifindex = if_nametoindex(device).expect("the interface");
    let program = program.fd().expect("a loaded program").as_fd();
    Some(bpf::attach(program, ifindex, at, Order::Head).expect("attach a program"))
}

/// Attaches somebody else's `program` to `device` of the thread's namespace.
pub(crate) fn attach_beside(program: &mut SchedClassifier, device: &str, at: Hook, beside: Beside) {
    if hook() == "clsact" {
        let priority = if beside == Beside::Before { 1 } else { 3 };
        return filter(program, device, kind(at), priority);
    }
    let order = match beside {
        Beside::Before => LinkOrder::first(),
        Beside::Behind => LinkOrder::last(),
    };
    let options = TcAttachOptions::TcxOrder(order);
    let attached = program.attach_with_options(device, kind(at), options);
    attached.expect("attach a program");
}

fn filter(program: &mut SchedClassifier, device: &str, kind: TcAttachType, priority: u16) {
    // It is there for the second way.
    drop(tc::qdisc_add_clsact(device));
    let options = TcAttachOptions::Netlink(NlOptions {
        priority,
        handle: TcHandle::new(0, 7),
        classid: None,
    });
    let link = program.attach_with_options(device, kind, options);
    let link = program.take_link(link.expect("attach a program"));
    // It would be looked for in the wrong namespace at its end.
    std::mem::forget(link.expect("the link"));
}

const fn kind(at: Hook) -> TcAttachType {
    match at {
        Hook::Ingress => TcAttachType::Ingress,
        Hook::Egress => TcAttachType::Egress,
    }
}
