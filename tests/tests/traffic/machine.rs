//! The agent on Debian's kernel, Linux 6.1, in a virtual machine: no TCX, and Open vSwitch's own
//! datapath. The tests are those of this same program, which runs there a second time.

use e2e::vm::tests::pass;

/// All that an emulated processor has time for.
const ALL: &str = "engine::life engine::restart engine::upgrade::case_45_another_version_is \
    engine::kill::case_29_killed_anywhere_while_it_attaches engine::churn::case_35 \
    engine::churn::case_48 engine::trouble::case_22 engine::trouble::case_24 \
    exact:: containers::cases containers::exact on_debian::hooks";
/// A part that uses every kind of program.
const PART: &str = "engine::life::case_44_a_macvlan exact::links::case_1_and_2_and_3_a_macvlan \
    containers::exact";

/// Runs the tests `filter`, or what `BERTH_VM_TESTS` says, behind `preparation`.
fn count(preparation: &str, filter: &str) {
    let filter = std::env::var("BERTH_VM_TESTS").unwrap_or_else(|_| filter.to_owned());
    // What is about links of TCX has a twin that is about filters.
    let without = "--skip machine:: --skip what_a_user_removes --skip uninstall_removes_everything";
    pass(
        &format!("export BERTH_OVS_DATAPATH=system\nmount -t bpf bpf /sys/fs/bpf\n{preparation}"),
        &format!("{filter} {without} --include-ignored --test-threads=2"),
    );
}

#[test]
#[ignore = "boots a virtual machine: run ./test.sh vm"]
fn case_21_and_22_the_agent_counts_on_debians_kernel() {
    count("", ALL);
}

#[test]
#[ignore = "boots a virtual machine: run ./test.sh vm"]
fn case_23_it_counts_without_the_compiler_of_programs_and_with_bpf_for_root_alone() {
    let settings = "sysctl -q net.core.bpf_jit_enable=0 kernel.unprivileged_bpf_disabled=2\n";
    count(settings, &format!("{PART} on_debian::interpreted"));
}

/// Which cannot be taken back: a machine of its own.
#[test]
#[ignore = "boots a virtual machine: run ./test.sh vm"]
fn case_23_it_counts_on_a_kernel_that_is_locked_down() {
    let lock = "mount -t securityfs security /sys/kernel/security\n\
        echo confidentiality > /sys/kernel/security/lockdown\n";
    count(lock, &format!("{PART} on_debian::locked"));
}
