//! The driver `ovs`, on a real Open vSwitch with its own datapath.
//!
//! - `belief`: ports that are asked for before their VLAN is certain;
//! - `ports`: what an ADD makes, for every family, and who reaches whom;
//! - `bad_input`: cases of the list that are told of macvlan elsewhere;
//! - `check`, `removal`, `leftovers`, `racing`, `status`: one verb or theme each;
//! - `away`, `switch`: database and switch down, hung, started again in the middle;
//! - `hostile`: something at the database's socket that is none.
//!
//! Killed at every step: `kill::ovs`.

mod away;
mod bad_input;
pub(crate) mod belief;
mod check;
mod hostile;
mod leftovers;
mod ports;
mod racing;
mod removal;
mod status;
mod switch;

use std::path::Path;

use crate::container::Container;
use crate::ground::{Ground, files};

/// The name of the container's port, which it must have.
#[track_caller]
pub(crate) fn port_of(ground: &Ground, container: &Container<'_>) -> String {
    let ports = ground.ovs().ports();
    let own = |port: &&String| {
        let id = ground.ovs().external_id(port, "container");
        id.as_deref() == Some(container.id.as_str())
    };
    let port = ports.iter().find(own);
    port.unwrap_or_else(|| panic!("{} has no port among {ports:?}", container.id))
        .clone()
}

/// The notes of ports that wait for the database.
pub(crate) fn pending(ground: &Ground) -> Vec<String> {
    files(&ground.node().file("state/ovs"))
}

/// Any call, with which the node puts right what waits.
#[track_caller]
pub(crate) fn next_call(ground: &Ground) {
    let next = ground.container("next");
    next.add().success();
    next.del().success();
}

/// Loses a folder of the node's files.
fn lose(ground: &Ground, folder: &str) {
    std::fs::remove_dir_all(ground.node().file(folder)).expect("lose the files");
}

/// A path that leads to no namespace.
fn nowhere() -> &'static Path {
    Path::new("/nonexistent/netns")
}
