//! A program in a container of a test: does what it is told on stdin, one line after the other, and
//! answers each with a line.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "test support: what cannot be done must fail the test"
)]

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, IoSlice, IoSliceMut, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, sendmsg};

fn main() {
    let mut worker = Worker::default();
    for line in io::stdin().lock().lines() {
        let line = line.expect("read a command");
        let words: Vec<&str> = line.split(' ').collect();
        let answer = worker.obey(&words);
        let mut out = io::stdout().lock();
        writeln!(out, "{answer}").expect("answer");
        out.flush().expect("answer");
    }
}

#[derive(Default)]
struct Worker {
    /// Open sockets, by the names the test gave them.
    sockets: BTreeMap<String, UdpSocket>,
    connections: Vec<TcpStream>,
}

impl Worker {
    fn obey(&mut self, words: &[&str]) -> String {
        match words {
            ["udp", name] => {
                let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
                self.sockets.insert((*name).to_owned(), socket);
                "ok".into()
            }
            ["send", name, to, count, bytes] => self.send(name, to, number(count), number(bytes)),
            ["tcp", to, bytes] => tcp(to, number(bytes)),
            ["open", to] => match TcpStream::connect(*to) {
                Ok(stream) => {
                    self.connections.push(stream);
                    "ok".into()
                }
                Err(error) => error.kind().to_string(),
            },
            ["serve", at] => serve(at),
            ["sink", at] => sink(at),
            ["give", name, path] => self.give(name, path),
            ["take", name, path] => self.take(name, path),
            _ => panic!("unknown command {words:?}"),
        }
    }

    fn send(&self, name: &str, to: &str, count: usize, bytes: usize) -> String {
        let socket = self.sockets.get(name).expect("a socket of that name");
        let to: SocketAddr = to.parse().expect("an address");
        let payload = vec![7; bytes];
        let sent = (0..count).filter(|_| socket.send_to(&payload, to).is_ok());
        sent.count().to_string()
    }

    /// Passes a socket to whoever takes it at `path`.
    fn give(&self, name: &str, path: &str) -> String {
        let socket = self.sockets.get(name).expect("a socket of that name");
        let listener = UnixListener::bind(path).expect("listen");
        let (stream, _) = listener.accept().expect("somebody to take it");
        let fds = [socket.as_raw_fd()];
        sendmsg::<UnixAddr>(
            stream.as_raw_fd(),
            &[IoSlice::new(b"x")],
            &[ControlMessage::ScmRights(&fds)],
            MsgFlags::empty(),
            None,
        )
        .expect("pass the socket");
        "ok".into()
    }

    fn take(&mut self, name: &str, path: &str) -> String {
        let mut connected = None;
        e2e::wait::until(std::time::Duration::from_secs(30), "somebody gives", || {
            connected = UnixStream::connect(path).ok();
            connected.is_some()
        });
        let stream = connected.expect("a connection");
        let mut byte = [0; 1];
        let mut parts = [IoSliceMut::new(&mut byte)];
        let mut space = cmsg_space!([i32; 1]);
        let received = recvmsg::<UnixAddr>(
            stream.as_raw_fd(),
            &mut parts,
            Some(&mut space),
            MsgFlags::empty(),
        )
        .expect("receive");
        for message in received.cmsgs().expect("control messages") {
            if let ControlMessageOwned::ScmRights(fds) = message {
                let fd = *fds.first().expect("a descriptor");
                self.sockets.insert(name.to_owned(), adopt(fd).into());
            }
        }
        "ok".into()
    }
}

#[expect(unsafe_code, reason = "descriptors arrive as numbers")]
fn adopt(fd: i32) -> OwnedFd {
    // SAFETY: the kernel has just made it for this process.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Sends `bytes`, and reads until the other end closes first.
fn tcp(to: &str, bytes: usize) -> String {
    let mut stream = match TcpStream::connect(to) {
        Ok(stream) => stream,
        Err(error) => return error.kind().to_string(),
    };
    let told = u64::try_from(bytes).expect("a length").to_be_bytes();
    stream.write_all(&told).expect("send the length");
    stream.write_all(&vec![7; bytes]).expect("send");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("read");
    answer.len().to_string()
}

/// Answers connections with as many bytes as were announced and sent, and closes first.
fn serve(at: &str) -> String {
    let listener = TcpListener::bind(at).expect("listen");
    let answer = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            thread::spawn(move || {
                let mut told = [0; 8];
                if stream.read_exact(&mut told).is_err() {
                    return;
                }
                let bytes = usize::try_from(u64::from_be_bytes(told)).expect("a length");
                let mut all = vec![0; bytes];
                stream.read_exact(&mut all).expect("read");
                stream.write_all(&all).expect("answer");
                drop(stream.shutdown(Shutdown::Write));
                // Until the other end has closed too.
                drop(stream.read(&mut [0; 1]));
            });
        }
    });
    answer
}

/// Takes datagrams and answers none.
fn sink(at: &str) -> String {
    let socket = UdpSocket::bind(at).expect("bind");
    let answer = socket.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        while socket.recv(&mut buffer).is_ok() {}
    });
    answer
}

fn number(text: &str) -> usize {
    text.parse().expect("a number")
}
