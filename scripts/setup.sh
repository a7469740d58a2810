#!/usr/bin/env bash
# Installs what Berth needs on Debian 12 or later, or Ubuntu: only what is missing, and it says what.
#
#   scripts/setup.sh          everything: for ./test.sh and the benchmark
#   scripts/setup.sh demo     what ./demo.sh needs
#   scripts/setup.sh vm       everything, and the virtual machine of ./test.sh vm (Debian, x86-64)
#   scripts/setup.sh ebpf     what ebpf/rebuild.sh builds the kernel's programs with
#
# Can be run again at any time.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
. scripts/common.sh

# The oldest Rust the workspace builds with (rust-version in Cargo.toml).
RUST_VERSION=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

# A C compiler for the bundled LMDB and TLS, the protocol compiler for etcd's messages.
BUILD=(gcc libc6-dev protobuf-compiler libprotobuf-dev)
LAN=(iproute2 iputils-ping util-linux)
# Real stores, runtimes, switches and the reference plugins; a C++ compiler for libFuzzer.
TEST=(g++ etcd-server etcd-client containerd runc podman containernetworking-plugins busybox-static
    openvswitch-switch ethtool iperf3 iptables nftables libcap2-bin strace curl shellcheck
    prometheus chromium chromium-driver)

# A compiler together with the source of its core, and the linker's library.
EBPF=(rustc-web rust-web-src llvm-22 llvm-22-dev)
LINKER_VERSION=0.13.0

# The virtual machine; depmod comes with kmod. The kernel is unpacked below KERNEL, not installed: it
# is nothing that this machine is to boot.
VM=(qemu-system-x86 busybox-static kmod iproute2)
KERNEL=/var/cache/berth/kernel

main() {
    require_root
    command -v apt-get >/dev/null || fail "no apt-get: this script knows Debian and Ubuntu only" \
        "install the equivalents of: ${BUILD[*]} ${LAN[*]} ${TEST[*]}, and Rust $RUST_VERSION"
    case "${1:-all}" in
        demo) install_packages "${BUILD[@]}" "${LAN[@]}" ;;
        all) install_packages "${BUILD[@]}" "${LAN[@]}" "${TEST[@]}" ;;
        vm)
            install_packages "${BUILD[@]}" "${LAN[@]}" "${TEST[@]}" "${VM[@]}"
            install_vm
            ;;
        ebpf) install_packages gcc libc6-dev && install_ebpf ;;
        *) fail "unknown argument $1" "scripts/setup.sh [demo|vm|ebpf]" ;;
    esac
    install_rust
    case "${1:-all}" in
        demo) ;;
        ebpf) install_linker ;;
        *) install_cargo_tools ;;
    esac
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

install_packages() {
    local package missing=()
    for package in "$@"; do is_installed "$package" || missing+=("$package"); done
    if [ ${#missing[@]} -eq 0 ]; then
        note "packages: all $# are installed"
        return
    fi
    note "packages: installing ${missing[*]}"
    keep_services_down
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
        </dev/null >/dev/null || fail "apt-get could not install ${missing[*]}"
}

# The tests start their own etcd and containerd; the packages' own services are not wanted.
# policy-rc.d is Debian's way to say so; one that is there already is the machine owner's.
keep_services_down() {
    local policy=/usr/sbin/policy-rc.d
    [ ! -e $policy ] || return 0
    note "packages: their services are not started ($policy, removed again at the end)"
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
}

# Its file server, which later releases have in a package of its own, and its kernel.
install_vm() {
    local meta=linux-image-cloud-amd64 package work
    [ "$(dpkg --print-architecture)" = amd64 ] || fail "the virtual machine is an x86-64 one" \
        "leave it out: scripts/setup.sh"
    [ -x /usr/lib/qemu/virtiofsd ] || install_packages virtiofsd
    apt-cache show $meta >/dev/null 2>&1 || apt-get update -qq
    package=$(apt-cache depends $meta 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
    [ -n "$package" ] || fail "no package $meta, which is the virtual machine's kernel" \
        "use Debian, or leave it out: scripts/setup.sh"
    if [ -e "$KERNEL/boot/vmlinuz-${package#linux-image-}" ]; then
        note "kernel: $package is unpacked"
        return
    fi
    note "kernel: unpacking $package in $KERNEL"
    work=$(mktemp -d)
    # apt downloads as a user of its own.
    chmod 777 "$work"
    (cd "$work" && apt-get download -qq "$package") || fail "apt-get could not download $package"
    dpkg -x "$work"/*.deb "$work/unpacked"
    depmod -b "$work/unpacked" "${package#linux-image-}"
    rm -rf "$KERNEL"
    mkdir -p "${KERNEL%/*}"
    # Last, so that a kernel that is there is a whole one.
    cp -r "$work/unpacked" "$KERNEL.new"
    mv "$KERNEL.new" "$KERNEL"
    rm -rf "$work"
}

# Not every release has them; ./test.sh passes without, as the objects are in the repository.
install_ebpf() {
    local package
    for package in "${EBPF[@]}"; do
        is_installed "$package" && continue
        apt-cache show "$package" >/dev/null 2>&1 || apt-get update -qq
        apt-cache show "$package" >/dev/null 2>&1 || fail "this distribution has no package $package" \
            "nothing but ebpf/rebuild.sh needs it; use Debian 12 with its updates for that"
    done
    install_packages "${EBPF[@]}"
}

install_linker() {
    case "$(bpf-linker --version 2>/dev/null)" in
        "bpf-linker $LINKER_VERSION"*) ;;
        *)
            note "bpf-linker: building it, this takes a minute"
            LLVM_PREFIX=/usr/lib/llvm-22 cargo install bpf-linker --version $LINKER_VERSION --locked --quiet \
                --no-default-features --features llvm-22 </dev/null
            ;;
    esac
    note "bpf-linker: $LINKER_VERSION"
}

install_rust() {
    local hint="install Rust $RUST_VERSION or later as https://rustup.rs says, then run this again"
    if ! find_cargo; then
        # Without a fresh list of packages a new machine knows of none.
        apt-get update -qq
        LC_ALL=C apt-cache policy rustup | grep -q '^ *Candidate: [^(]' ||
            fail "Rust is missing, and this distribution has no package rustup" "$hint"
        install_packages rustup
    fi
    if ! rust_is_new_enough; then
        command -v rustup >/dev/null ||
            fail "$(cargo --version) is too old: Berth needs $RUST_VERSION" "$hint"
        note "rust: installing the stable toolchain"
        rustup toolchain install stable --profile minimal -c clippy -c rustfmt </dev/null
        rustup default stable
        rust_is_new_enough || fail "$(cargo --version) is too old: Berth needs $RUST_VERSION" "$hint"
    fi
    note "rust: $(cargo --version)"
}

rust_is_new_enough() {
    local have
    have=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || return 1
    [ -n "$have" ] && [ "$(printf '%s\n' "$RUST_VERSION" "$have" | sort -V | head -n 1)" = "$RUST_VERSION" ]
}

install_cargo_tools() {
    local tool
    for tool in clippy rustfmt; do
        cargo "${tool/rustfmt/fmt}" --version >/dev/null 2>&1 && continue
        command -v rustup >/dev/null || fail "cargo has no $tool" "install it as your Rust came"
        note "rust: adding $tool"
        rustup component add "$tool" </dev/null
    done
    if ! cargo nextest --version >/dev/null 2>&1; then
        note "cargo-nextest: building it, this takes some minutes"
        cargo install cargo-nextest --locked --quiet </dev/null
    fi
    note "cargo-nextest: $(cargo nextest --version | sed -n '1s/^cargo-nextest \([^ ]*\).*/\1/p')"
}

main "$@"
