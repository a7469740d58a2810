//! The tests that need Debian's kernel, in a virtual machine.
//!
//! They are those in modules called `on_debian`, and are part of this same program, which runs a
//! second time in the machine.

use e2e::vm;

#[test]
#[ignore = "boots a virtual machine: run ./test.sh vm"]
fn what_needs_debians_kernel_passes_on_it() {
    let filter = std::env::var("BERTH_VM_TESTS").unwrap_or_else(|_| "on_debian::".to_owned());
    vm::tests::pass("", &format!("--ignored {filter} --test-threads=2"));
}

/// The driver `ovs` with the kernel's datapath: the tests that elsewhere have Open vSwitch's own.
#[test]
#[ignore = "boots a virtual machine: run ./test.sh vm"]
fn the_driver_ovs_works_with_the_kernels_datapath() {
    let modules = [
        "belief",
        "ports",
        "check",
        "removal",
        "leftovers",
        "racing",
        "switch",
    ];
    let filter = std::env::var("BERTH_VM_TESTS")
        .unwrap_or_else(|_| modules.map(|module| format!("ovs::{module}")).join(" "));
    // One after the other, and never 32 calls at once: an emulated processor takes longer for them
    // than the plugin gives database and switch.
    vm::tests::pass(
        "export BERTH_OVS_DATAPATH=system BERTH_STORE_PATIENCE_MS=20000\n",
        &format!("{filter} --skip thirty_two --test-threads=1"),
    );
}
