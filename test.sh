#!/usr/bin/env bash
# Sets up what the tests need, and runs all of them. As root, on Debian 12 or later, or Ubuntu.
#
#   ./test.sh              every stage
#   ./test.sh --long       the same with BERTH_LONG=1, at which tests that kill do so twenty times as
#                          often, then the tests in a virtual machine, and then the benchmark
#   ./test.sh STAGE…       only these: setup fmt clippy doc ebpf build test fuzz shellcheck vm bench
#
# Can be interrupted and run again: the tests run in namespaces of their own, below a directory
# that goes away with them.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=scripts/common.sh
. scripts/common.sh

ALL=(setup fmt clippy doc ebpf build test fuzz shellcheck)

stage_setup() { scripts/setup.sh; }
stage_fmt() { cargo fmt --all --check; }
stage_clippy() { cargo clippy --workspace --all-targets --locked -- -D warnings; }
stage_doc() {
    RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --document-private-items --locked
}
# That the committed objects are what their source makes. Everything else does without the toolchain.
stage_ebpf() {
    if ! scripts/setup.sh ebpf; then
        note "ebpf: not compared, as the toolchain cannot be installed here"
        return 0
    fi
    ebpf/rebuild.sh --check
}

# The programs themselves too: the end-to-end tests call them.
stage_build() {
    cargo build --workspace --locked
    cargo build --locked -p berth-cni --features fault-injection --bin berth-faults --bin berth-ipam-faults
    cargo build --locked -p traffic-agent --features fault-injection --bin traffic-agent-faults
    cargo build --locked -p e2e --features planted-bug --bin torture-planted
    cargo nextest run --workspace --locked --no-run
}

# In a mount and a process namespace of their own, so that whatever a killed test leaves behind,
# mounts and processes, goes with them. bash stays as their first process, to reap orphans.
stage_test() { enclosed cargo nextest run --workspace --locked --profile "${PROFILE:-ci}"; }

# What needs Debian's kernel, in virtual machines whose processor is emulated: an hour on two cores.
stage_vm() {
    local runner=CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER
    scripts/setup.sh vm
    cargo build --locked -p berth-cni -p cnictl -p traffic-agent -p e2e --bins
    cargo build --locked -p berth-cni --features fault-injection --bin berth-faults --bin berth-ipam-faults
    cargo build --locked -p traffic-agent --features fault-injection --bin traffic-agent-faults
    enclosed cargo test --locked -p e2e --test plugin -- --ignored --nocapture machine::
    # One machine after the other: what the agent does is watched for so long, and no longer.
    enclosed cargo test --locked -p e2e --test traffic -- --ignored --nocapture --test-threads=1 machine::
    enclosed env "$runner=$(target_folder)/debug/in-machine" cargo test --locked -p traffic-agent --test programs
}

# Where cargo builds, from the root.
target_folder() { realpath "${CARGO_TARGET_DIR:-target}"; }

# Runs a command below a folder of its own, as above.
enclosed() {
    [ -z "${folder:-}" ] || rm -rf "$folder"
    sweep_folders
    folder=$(mktemp -d "$FOLDERS.XXXXXX")
    # Some tests become another user, who has to come through.
    chmod 711 "$folder"
    # Held by every process below as well: the folder is in use as long as one of them lives.
    exec 9>"$folder/lock"
    flock 9
    trap 'rm -rf "$folder"' EXIT
    # shellcheck disable=SC2016
    TMPDIR=$folder unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
        bash -c '"$@"; exit $?' tests "$@"
}

# Prints its tables; fails when a call fails or an address is given twice.
stage_bench() {
    local host
    scripts/release.sh
    cargo build --release --locked --quiet -p e2e --bin bench-cni --bin bench-ipam --bin bench-traffic
    host=$(rustc -vV | sed -n 's/^host: //p')
    export BERTH_BIN_DIR=${CARGO_TARGET_DIR:-target}/$host/release
    "${CARGO_TARGET_DIR:-target}/release/bench-cni"
    "${CARGO_TARGET_DIR:-target}/release/bench-cni" ovs
    "${CARGO_TARGET_DIR:-target}/release/bench-cni" bandwidth --at-once 16 --rounds 3
    "${CARGO_TARGET_DIR:-target}/release/bench-cni" throughput --rounds 3
    "${CARGO_TARGET_DIR:-target}/release/bench-cni" ipam --at-once 16 --rounds 15
    "${CARGO_TARGET_DIR:-target}/release/bench-ipam"
    "${CARGO_TARGET_DIR:-target}/release/bench-traffic" programs
    "${CARGO_TARGET_DIR:-target}/release/bench-traffic" wire
}

# A minute for each parser of outside data, all at once; ten in the long run.
stage_fuzz() { scripts/fuzz.sh "${FUZZ_SECONDS:-60}"; }

stage_shellcheck() { shellcheck -x ./*.sh scripts/*.sh ebpf/*.sh .ci/run; }

# Removes what interrupted runs left: the folders whose lock nobody holds.
FOLDERS=/tmp/berth-test
sweep_folders() {
    local folder
    for folder in "$FOLDERS".*; do
        if [ -e "$folder/lock" ] && flock -n "$folder/lock" true; then rm -rf "$folder"; fi
    done
}

main() {
    local stage stages=() failed=() skipped=() summary=() begun
    while [ $# -gt 0 ]; do
        case "$1" in
            --long) export BERTH_LONG=1 PROFILE=long FUZZ_SECONDS=600 ;;
            -h | --help) sed -n '2,/^set /{/^set /!s/^# \{0,1\}//p}' "$0"; return ;;
            *)
                [[ " ${ALL[*]} vm bench " = *" $1 "* ]] || fail "unknown stage $1" "the stages are: ${ALL[*]} vm bench"
                stages+=("$1")
                ;;
        esac
        shift
    done
    [ ${#stages[@]} -gt 0 ] || stages=("${ALL[@]}" ${BERTH_LONG:+vm bench})
    require_root
    # Without setup among the stages it is still where it was installed; with it, found afterwards.
    find_cargo || [ "${stages[0]}" = setup ] || fail "cargo is missing" "./test.sh setup"

    for stage in "${stages[@]}"; do
        if [ ${#failed[@]} -gt 0 ] && needs "$stage" "${failed[@]}"; then
            skipped+=("$stage")
            summary+=("$(printf '  %-12s not run' "$stage")")
            continue
        fi
        heading "$stage"
        begun=$SECONDS
        if run "$stage"; then
            summary+=("$(printf '  %-12s ok      %4d s' "$stage" $((SECONDS - begun)))")
        else
            failed+=("$stage")
            summary+=("$(printf '  %-12s FAILED  %4d s' "$stage" $((SECONDS - begun)))")
        fi
        [ "$stage" != setup ] || find_cargo || true
    done

    heading "summary"
    printf '%s\n' "${summary[@]}"
    [ ${#failed[@]} -eq 0 ] || fail "failed: ${failed[*]}${skipped[*]:+; not run: ${skipped[*]}}"
    say "  all passed"
}

# Each stage in a shell of its own with `set -e`, which does not work below `if`.
run() {
    local status=0
    set +e
    (set -e; "stage_$1")
    status=$?
    set -e
    return "$status"
}

# Whether a stage makes no sense after these failures.
needs() {
    local stage=$1 failure
    shift
    for failure in "$@"; do
        [ "$failure" != setup ] || return 0
        [ "$failure-$stage" != build-test ] && [ "$failure-$stage" != build-vm ] || return 0
    done
    return 1
}

main "$@"
