#!/usr/bin/env bash
# Fuzzes every parser of outside data: each target for a while, all of them at once.
#
#   scripts/fuzz.sh [SECONDS]     60 seconds by default
#
# Begins with the seeds below fuzz/seeds and with what earlier runs found, which is kept below
# target/fuzz-corpus. An input that breaks a claim is left in target/fuzz-broken and named; run it
# again with `target/fuzz/fuzz-TARGET FILE`, and add it to the seeds when it is mended.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

SECONDS_EACH=${1:-60}
TARGETS=(cni-stdin cni-args records ovsdb-replies http-headers)
TARGET_DIR=${CARGO_TARGET_DIR:-target}

# What `cargo fuzz` sets, without the sanitizers that only an unstable compiler has: overflow,
# bounds and every claim of the targets are checked all the same.
COVERAGE=(-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares)

main() {
    local host target broken=() pids=()
    find_cargo || fail "cargo is missing" "./test.sh setup"
    host=$(rustc -vV | sed -n 's/^host: //p')
    # With --target the flags stay away from build scripts.
    RUSTFLAGS="${COVERAGE[*]}" cargo build --locked --profile fuzz --target "$host" -p berth-fuzz --bins
    mkdir -p "$TARGET_DIR/fuzz-broken"
    for target in "${TARGETS[@]}"; do
        fuzz "$target" "$TARGET_DIR/$host/fuzz/fuzz-$target" &
        pids+=($!)
    done
    for at in "${!TARGETS[@]}"; do
        wait "${pids[$at]}" || broken+=("${TARGETS[$at]}")
        grep -E "number_of_executed_units|new_units_added" "$TARGET_DIR/fuzz-broken/${TARGETS[$at]}.log" | sed "s/^/  ${TARGETS[$at]}: /"
    done
    [ ${#broken[@]} -eq 0 ] || fail "broken: ${broken[*]}" \
        "see $TARGET_DIR/fuzz-broken/TARGET.log, which names the input at its end"
}

# One target, in this order: what earlier runs found, then the seeds.
fuzz() {
    local corpus=$TARGET_DIR/fuzz-corpus/$1
    mkdir -p "$corpus"
    "$2" "$corpus" "fuzz/seeds/$1" -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 \
        -artifact_prefix="$TARGET_DIR/fuzz-broken/$1-" -print_final_stats=1 \
        >"$TARGET_DIR/fuzz-broken/$1.log" 2>&1
}

main
