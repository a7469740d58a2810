//! What needs a kernel with 802.1Q, bonds and netem, which a test machine's own may lack: all
//! ignored, and run by `machine` in a virtual machine with Debian's.

mod bond;
mod netem;
mod tagged;
mod vlan;
mod vlan_races;
