//! This node's clock, and the store's.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use berth_store::StoreConfig;
use jiff::Timestamp;
use nix::libc;

use crate::doctor::seen::{Seen, Unseen};

/// Whether the kernel's clock is synchronised with others, as `ntpd` and the like have told it.
#[expect(unsafe_code, reason = "nix has no safe call for adjtimex")]
pub(super) fn synchronised() -> Seen<bool> {
    // SAFETY: a timex is plain numbers, and zero is a value of each.
    let mut clock: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a timex of this frame; the call does not keep it. Without modes it
    // changes nothing.
    let state = unsafe { libc::adjtimex(&raw mut clock) };
    if state < 0 {
        return Err(Unseen::Failed("adjtimex is refused".into()));
    }
    Ok(clock.status & libc::STA_UNSYNC == 0)
}

/// How far etcd's clock is ahead of this host's, in seconds, by the date of an answer; `None` where it
/// cannot be asked without a certificate, or does not say.
pub(super) fn ahead_s(store: &StoreConfig, longest: Duration) -> Option<i64> {
    let StoreConfig::Etcd(etcd) = store else {
        return None;
    };
    let plain = etcd
        .endpoints
        .iter()
        .filter_map(|url| url.strip_prefix("http://"));
    let date = plain
        .into_iter()
        .find_map(|host| date_of(host.trim_end_matches('/'), longest / 2))?;
    let now = Timestamp::now();
    Some(date.as_second() - now.as_second())
}

fn date_of(host: &str, longest: Duration) -> Option<Timestamp> {
    let address = host.to_socket_addrs().ok()?.next()?;
    let mut stream = TcpStream::connect_timeout(&address, longest).ok()?;
    stream.set_read_timeout(Some(longest)).ok()?;
    stream.set_write_timeout(Some(longest)).ok()?;
    let request = format!("GET /version HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).ok()?;
    date(&String::from_utf8_lossy(&answer))
}

/// The date in the head of an HTTP answer.
fn date(answer: &str) -> Option<Timestamp> {
    let mut lines = answer.lines().take_while(|line| !line.is_empty());
    let field = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then_some(value.trim())
    })?;
    let zoned = jiff::fmt::rfc2822::parse(field).ok()?;
    Some(zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_date_of_an_answer_is_read_and_nothing_else_of_it() {
        let answer = "HTTP/1.1 200 OK\r\ndate: Sat, 21 Nov 2026 10:43:11 GMT\r\n\r\n{}";
        assert_eq!(date(answer), "2026-11-21T10:43:11Z".parse().ok());
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\n\r\nDate: Sat, 21 Nov 2026 10:43:11 GMT",
            "Date: soon\r\n\r\n",
        ] {
            assert_eq!(date(answer), None, "case: {answer:?}");
        }
    }
}
