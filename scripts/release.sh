#!/usr/bin/env bash
# Builds the programs as they are installed: static, so that one file runs on any distribution's
# node, whatever C library it has.
#
#   scripts/release.sh        prints where they are, with their checksums
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

find_cargo || fail "cargo is missing" "scripts/setup.sh demo"
# Named outright, so that the flag is for the programs and not for what builds them.
HOST=$(rustc -vV | sed -n 's/^host: //p')
TARGET=${CARGO_TARGET_DIR:-target}/$HOST/release

note "building static berth, berth-ipam, cnictl and traffic-agent for $HOST (the first time takes some minutes)"
RUSTFLAGS='-C target-feature=+crt-static' \
    cargo build --release --locked --quiet --target "$HOST" -p berth-cni -p cnictl -p traffic-agent

for program in berth berth-ipam cnictl traffic-agent; do
    # A program that asks for a loader is not static.
    if readelf --program-headers --wide "$TARGET/$program" | grep -q INTERP; then
        fail "$TARGET/$program is not static"
    fi
    readelf --file-header "$TARGET/$program" | grep -q 'Type:.*DYN' ||
        fail "$TARGET/$program is not position-independent"
    sha256sum "$TARGET/$program"
done
