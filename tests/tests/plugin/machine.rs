//! The tests that need Debian's kernel, in a virtual machine.
//!
//! They are those in modules called `on_debian`, and are part of this same program, which runs a
//! second time in the machine.

use std::io::Write as _;
use std::time::Duration;

use e2e::vm;

/// An emulated processor on a busy machine takes its time.
const DEADLINE: Duration = Duration::from_mins(30);

#[test]
#[ignore = "boots a virtual machine: run ./test.sh vm"]
fn what_needs_debians_kernel_passes_on_it() {
    let this = std::env::current_exe().expect("the path of the running program");
    let filter = std::env::var("BERTH_VM_TESTS").unwrap_or_else(|_| "on_debian::".to_owned());
    run(&format!(
        "{} --ignored {filter} --test-threads=2",
        this.display()
    ));
}

/// The driver `ovs` with the kernel's datapath: the tests that elsewhere have Open vSwitch's own.
#[test]
#[ignore = "boots a virtual machine: run ./test.sh vm"]
fn the_driver_ovs_works_with_the_kernels_datapath() {
    let this = std::env::current_exe().expect("the path of the running program");
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
    run(&format!(
        "BERTH_OVS_DATAPATH=system BERTH_STORE_PATIENCE_MS=20000 {} {filter} \
         --skip thirty_two --test-threads=1",
        this.display()
    ));
}

fn run(tests: &str) {
    let options = "--color=never";
    let command = format!("{tests} {options}; status=$?; cat /proc/uptime; exit $status");
    let ran = vm::run(&command, DEADLINE);
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.output, ran.console);
    let passed = ran.output.contains("test result: ok.");
    assert!(
        passed && !ran.output.contains(" 0 passed"),
        "{}",
        ran.output
    );
    // For whoever watches; nobody reads what cannot be written.
    drop(writeln!(std::io::stderr(), "{}", ran.output));
}
