#!/usr/bin/env bash
# Builds the programs of the kernel's side from source.
#
#   ebpf/rebuild.sh          writes ebpf/agent/programs.o, which the agent carries within it
#   ebpf/rebuild.sh --check  builds it and says whether the one that is there is the same
#
# Needs what `scripts/setup.sh ebpf` installs. Nobody else does: the object is in the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=../scripts/common.sh
. scripts/common.sh

OBJECT=ebpf/agent/programs.o
TARGET=${CARGO_TARGET_DIR:-$PWD/target}/ebpf

main() {
    local built
    built=$(mktemp)
    # shellcheck disable=SC2064
    trap "rm -f '$built'" EXIT
    find_cargo || fail "cargo is missing" "scripts/setup.sh ebpf"
    build "$built"
    case "${1:-}" in
        '') cp "$built" "$OBJECT" && chmod 644 "$OBJECT" && note "programs: wrote $OBJECT" ;;
        --check)
            cmp -s "$built" "$OBJECT" || fail "$OBJECT is not what its source makes" "ebpf/rebuild.sh"
            note "programs: $OBJECT is what its source makes"
            ;;
        *) fail "unknown argument $1" "ebpf/rebuild.sh [--check]" ;;
    esac
}

# The compiler whose core it is built with: the distribution's, which ships that source. The paths
# of this machine are left out, so that every machine makes the same.
build() {
    local flags=(-Cdebuginfo=2 "--remap-path-prefix=$PWD=."
        "--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo")
    (
        cd ebpf/programs
        CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f' && printf '%s' "${flags[*]}") \
            RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$TARGET \
            cargo build --release --locked --quiet -Zbuild-std=core --target bpfel-unknown-none
    )
    /usr/lib/llvm-22/bin/llvm-strip -g "$TARGET/bpfel-unknown-none/release/berth" -o "$1"
}

main "$@"
