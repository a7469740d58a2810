//! Case 70: a router that answers for everything.

use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use e2e::capture::{ArpFrame, Mac};
use e2e::lan::UPLINK;
use e2e::netns::Netns;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, recvfrom, sendto, socket,
};

use super::{FOREIGN, FOUR, asking, both, given, occupy};
use crate::ground::ip;

/// Answers every ARP request and probe at the uplink of `namespace` while `body` runs.
fn with_proxy<T>(namespace: &Netns, mac: Mac, body: impl FnOnce() -> T) -> T {
    let ended = AtomicBool::new(false);
    let socket = namespace.run(|| {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let all = SockProtocol::EthAll;
        let socket = socket(AddressFamily::Packet, SockType::Raw, flags, all);
        socket.expect("open a packet socket (run as root)")
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let mut listening = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
                poll(&mut listening, PollTimeout::from(20_u8)).expect("wait for a frame");
                answer_one(&socket, mac);
            }
        });
        let answer = body();
        ended.store(true, Ordering::Relaxed);
        answer
    })
}

/// Answers the next question, where there is one and it is not an answer's echo.
fn answer_one(socket: &OwnedFd, mac: Mac) {
    let mut buffer = [0; 2048];
    let (length, from) = match recvfrom::<LinkAddr>(socket.as_raw_fd(), &mut buffer) {
        Ok((length, Some(from))) => (length, from),
        Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => return,
        Err(error) => panic!("listen: {error}"),
    };
    let asked = ArpFrame::parse(&buffer[..length]);
    let Some(asked) = asked.filter(|frame| frame.operation == 1 && frame.source != mac) else {
        return;
    };
    let mut answer = [asked.source, mac].concat();
    answer.extend([8, 6, 0, 1, 8, 0, 6, 4, 0, 2]);
    answer.extend(mac);
    answer.extend(asked.target_ip.octets());
    answer.extend(asked.sender_mac);
    answer.extend(asked.sender_ip.octets());
    sendto(socket.as_raw_fd(), &answer, &from, MsgFlags::empty()).expect("answer");
}

#[test]
fn case_70_who_answers_for_everything_proves_nothing_and_is_warned_of() {
    let ground = both(3);
    let mac = [2, 0, 0, 0, 0, 0x77];
    with_proxy(ground.nodes[1].netns(), mac, || {
        let container = asking(&ground, "a", FOUR);
        let reply = container.add();
        assert_eq!(given(&reply)[0], ip(FOUR));
        assert!(
            reply.stderr.contains("02:00:00:00:00:77") && reply.stderr.contains(FOUR),
            "{}",
            reply.stderr
        );
        container.del().success();
        // A real holder is found beside it.
        occupy(ground.nodes[2].netns(), UPLINK, FOREIGN, FOUR);
        asking(&ground, "b", FOUR).refused(103, &[FOUR, FOREIGN]);
    });
}
