#!/usr/bin/env bash
# Builds the programs of the kernel's side from source.
#
#   ebpf/rebuild.sh          writes ebpf/agent/programs.o, which the agent carries within it, and
#                            ebpf/bench.o, which they are measured against
#   ebpf/rebuild.sh --check  builds them and says whether those that are there are the same
#
# Needs what `scripts/setup.sh ebpf` installs. Nobody else does: the objects are in the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

# What is built, and where it goes.
declare -A OBJECTS=([berth]=ebpf/agent/programs.o [bench]=ebpf/bench.o)
TARGET=${CARGO_TARGET_DIR:-$PWD/target}/ebpf
LLVM=/usr/lib/llvm-22/bin

main() {
    local built name object
    built=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$built'" EXIT
    find_cargo || fail "cargo is missing" "scripts/setup.sh ebpf"
    build "$built"
    for name in berth bench; do
        object=${OBJECTS[$name]}
        case "${1:-}" in
            '') cp "$built/$name" "$object" && chmod 644 "$object" && note "programs: wrote $object" ;;
            --check)
                cmp -s "$built/$name" "$object" || fail "$object is not what its source makes" "ebpf/rebuild.sh"
                note "programs: $object is what its source makes"
                ;;
            *) fail "unknown argument $1" "ebpf/rebuild.sh [--check]" ;;
        esac
    done
}

# The compiler whose core it is built with: the distribution's, which ships that source. The
# processor is that of Linux 5.10, and reads unaligned as the machine does.
build() {
    local name flags=(-Ctarget-cpu=v3 -Clink-arg=--cpu-features=+allows-misaligned-mem-access
        -Clink-arg=--disable-memory-builtins)
    (
        cd ebpf/programs
        CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && printf '%s' "${flags[*]}") \
            RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$TARGET \
            cargo build --release --locked --quiet -Zbuild-std=core --target bpfel-unknown-none
    )
    for name in berth bench; do place "$TARGET/bpfel-unknown-none/release/$name" "$1/$name"; done
}

# Leaves out what tells of the folder it was built in: the hash in the names of functions.
place() {
    "$LLVM/llvm-nm" --format=just-symbols "$1" | sed -n 's/^\(_R.*\)Cs[0-9A-Za-z]*_\(.*\)$/& \1\2/p' >"$2.names"
    "$LLVM/llvm-objcopy" --strip-debug --redefine-syms="$2.names" "$1" "$2"
}

main "$@"
