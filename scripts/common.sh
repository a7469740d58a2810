# shellcheck shell=bash
# What setup.sh, demo.sh and test.sh share. Sourced, not run.

# Bold where the output is a terminal.
if [ -t 1 ]; then BOLD=$'\e[1m' DIM=$'\e[2m' PLAIN=$'\e[0m'; else BOLD='' DIM='' PLAIN=''; fi

say() { printf '%s\n' "$*"; }
heading() { printf '\n%s== %s%s\n' "$BOLD" "$*" "$PLAIN"; }
note() { printf '%s   %s%s\n' "$DIM" "$*" "$PLAIN"; }
fail() {
    printf '%serror:%s %s\n' "$BOLD" "$PLAIN" "$1" >&2
    [ $# -lt 2 ] || printf '  hint: %s\n' "$2" >&2
    exit 1
}

# Network namespaces, mounts and packages all need it.
require_root() {
    [ "$(id -u)" -eq 0 ] || fail "this needs root, to make network namespaces and to install packages" "sudo $0"
}

# Puts cargo on PATH where rustup puts it, also that of the user who called sudo.
find_cargo() {
    local home
    command -v cargo >/dev/null && return 0
    for home in "$HOME" "$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)"; do
        if [ -x "$home/.cargo/bin/cargo" ]; then
            PATH="$home/.cargo/bin:$PATH"
            # The toolchain is that user's; what is downloaded and built stays root's.
            export PATH RUSTUP_HOME="${RUSTUP_HOME:-$home/.rustup}"
            return 0
        fi
    done
    return 1
}
