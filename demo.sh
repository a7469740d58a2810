#!/usr/bin/env bash
# Shows Berth's main job: containers on a LAN, each with an address of its own out of a pool.
# As root, on Debian 12 or later, or Ubuntu. Installs what is missing, builds, and then takes
# less than a minute.
#
# The LAN, the node and the containers are network namespaces. They live in network, mount and
# process namespaces of the demo's own, as do all files the programs write: the machine's own
# network and files are not touched, and everything is gone when the demo ends, however it ends.
set -Eeuo pipefail
trap 'printf "error: %s line %s: this failed: %s\n" "$0" "$LINENO" "$BASH_COMMAND" >&2' ERR
cd "$(dirname "$0")"
# shellcheck source=scripts/common.sh
. scripts/common.sh

TARGET=${CARGO_TARGET_DIR:-$PWD/target}
BERTH=$TARGET/release/berth
CNICTL=$TARGET/release/cnictl
# Inside the demo this is a file system in memory that nobody else sees.
PRIVATE=/run
STORE=$PRIVATE/berth-demo/ipam

outside() {
    require_root
    heading "Setting up"
    scripts/setup.sh demo
    find_cargo || fail "cargo is missing" "scripts/setup.sh demo"
    note "building berth and cnictl (the first time takes some minutes)"
    cargo build --release --locked -p berth-cni -p cnictl

    local status=0 before namespaces
    before=$(machine)
    namespaces=$(mktemp)
    # Known by its descriptor from here on, so that nothing is left however this ends.
    exec 3<>"$namespaces"
    rm "$namespaces"
    # Its own name again, told by an argument to go on inside.
    unshare --net --mount --propagation private --pid --fork --kill-child --mount-proc \
        "$BASH" "$0" --inside || status=$?
    [ "$status" -eq 0 ] || fail "the demo failed (status $status); what it made is gone with it"
    check_clean "$before" /proc/self/fd/3
}

# What the demo could have left: links, named namespaces, mounts, files of its programs.
machine() {
    ip -brief link | awk '{ print "link", $1 }'
    # Most of these are never there.
    find /run/netns /run/berth-demo /run/berth /var/lib/berth -maxdepth 1 2>/dev/null || true
}

check_clean() {
    local left
    heading "8. And a clean machine afterwards"
    left=$(comm -13 <(sort <<<"$1") <(machine | sort))
    [ -z "$left" ] || fail "this was not there before:"$'\n'"$left"
    # The kernel may take a moment to end the last process's namespaces.
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        left=$(lsns --type net --noheadings --output NS | tr -d ' ' | grep -Fxf "$2" || true)
        [ -n "$left" ] || break
        sleep 0.2
    done
    [ -z "$left" ] || fail "these network namespaces still exist: $left"
    say "    No link, no file and none of the demo's $(wc -l <"$2") network namespaces is left."
}

inside() {
    # From here on /run is the demo's own: named namespaces, the store, the plugin's records.
    mount -t tmpfs -o mode=755 berth-demo "$PRIVATE"
    mkdir -p "$PRIVATE/berth-demo"
    export BERTH_STORE=embedded:$STORE

    heading "1. A LAN with a gateway, and a node plugged into it"
    make_lan
    say "    gateway 10.20.1.1 ── br0 (the switch) ── uplink0 (the node's network card)"

    heading "2. A pool of addresses on that LAN"
    show cnictl pool create prod --subnet 10.20.1.0/24 --gateway 10.20.1.1
    show cnictl pool list

    heading "3. Three containers start: the runtime calls the plugin with ADD"
    local name
    for name in web-1 web-2 db-1; do start_container "$name"; done
    note "the plugin's answer for the last of them:"
    sed 's/^/    /' "$PRIVATE/berth-demo/db-1.result"

    heading "4. They are on the LAN, with addresses of their own"
    for name in web-1 web-2 db-1; do
        printf '    %-6s eth0 %s, route %s\n' "$name" \
            "$(ip -n "$name" -brief address show eth0 | awk '{ print $3 }')" \
            "$(ip -n "$name" route show default | sed 's/ *$//')"
    done

    heading "5. Who reaches whom"
    check_ping web-1 "$(address web-2)" "web-1 -> web-2"
    check_ping web-2 "$(address db-1)" "web-2 -> db-1"
    check_ping db-1 10.20.1.1 "db-1  -> the gateway"
    check_ping lan "$(address web-1)" "a machine on the LAN -> web-1"

    heading "6. What the operator sees"
    show cnictl ip list

    heading "7. One container stops (DEL): its address is free again"
    local freed
    freed=$(address web-2)
    cni DEL web-2
    say "    web-2 is deleted; its network namespace has no eth0 any more:"
    ip -n web-2 -brief link | sed 's/^/      /'
    show cnictl ip show "$freed"
    show cnictl ip list

    cni DEL web-1
    cni DEL db-1
}

# A switch with the gateway's address, and a node whose card is plugged into it.
make_lan() {
    namespace lan
    namespace node
    ip -n lan link add br0 type bridge forward_delay 0
    ip -n lan address add 10.20.1.1/24 dev br0
    ip -n lan link set br0 up
    ip -n lan link add port1 type veth peer name uplink0 netns node
    ip -n lan link set port1 master br0 up
    ip -n node link set uplink0 up
}

# A named network namespace; what identifies it goes to the outside, to look for it afterwards.
namespace() {
    ip netns add "$1"
    ip -n "$1" link set lo up
    stat --dereference --format %i "$PRIVATE/netns/$1" >&3
}

# Does for a container what containerd or podman does: an empty namespace, then the plugin.
start_container() {
    local result=$PRIVATE/berth-demo/$1.result
    namespace "$1"
    # A plugin says on stdout what went wrong, too.
    cni ADD "$1" >"$result" || fail "ADD of $1 failed: $(cat "$result")"
    say "    $1: started"
}

# Calls the plugin on the node for a container, as the CNI specification says.
cni() {
    local verb=$1 container=$2
    # Descriptor 3 is the demo's, not the plugin's.
    nsenter --net="$PRIVATE/netns/node" env \
        CNI_COMMAND="$verb" CNI_CONTAINERID="$container" CNI_IFNAME=eth0 \
        CNI_NETNS="$PRIVATE/netns/$container" CNI_PATH="$(dirname "$BERTH")" \
        CNI_ARGS="IgnoreUnknown=1;K8S_POD_NAMESPACE=demo;K8S_POD_NAME=$container" \
        "$BERTH" 3>&- <<EOF
{ "cniVersion": "1.1.0", "name": "pods", "type": "berth",
  "driver": "macvlan", "master": "uplink0", "mode": "bridge", "node": "node-1",
  "runDir": "$PRIVATE/berth-demo/run", "stateDir": "$PRIVATE/berth-demo/state",
  "ipam": { "pool": "prod", "store": { "embedded": "$STORE" } } }
EOF
}

address() { ip -n "$1" -4 -brief address show eth0 | awk '{ sub("/.*", "", $3); print $3 }'; }

check_ping() {
    local out
    out=$(nsenter --net="$PRIVATE/netns/$1" ping -n -c 1 -W 3 "$2") ||
        fail "$3 ($2): no answer"$'\n'"$out"
    printf '    %-30s %-12s %s\n' "$3" "$2" "$(sed -n 's/.*\(time=.*\)/\1/p' <<<"$out")"
}

# Prints a command the way it is typed, and its output below.
show() {
    printf '%s    $ %s%s\n' "$BOLD" "$*" "$PLAIN"
    [ "$1" != cnictl ] || set -- "$CNICTL" "${@:2}"
    "$@" 3>&- | sed 's/^/    /'
}

case "${1:-}" in
    '') outside ;;
    --inside) inside ;;
    *) fail "unknown argument $1" "./demo.sh takes none" ;;
esac
