//! Links that the node itself does not speak IPv6 on.

use std::{fs, io};

use crate::spec::CniError;

/// Keeps the namespace of the thread out of what goes over the link: routers there would give it
/// addresses and routes. What stands on the link has an IPv6 of its own.
///
/// # Errors
/// Code 5.
pub fn switch_ipv6_off(link: &str) -> Result<(), CniError> {
    let path = format!("/proc/sys/net/ipv6/conf/{link}/disable_ipv6");
    match fs::write(&path, b"1") {
        // A kernel without IPv6.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        written => written.map_err(|error| CniError::io(&path, &error)),
    }
}
