//! What the server is asked for. It checks that itself, before it listens.

use crate::args::{Level, Options};
use crate::export::{self, ExportOptions, Tcp};
use crate::http::{Cadvisor, Settings};

pub(super) fn http(options: &Options) -> Settings {
    let defaults = Settings::default();
    Settings {
        listen: options.listen.unwrap_or(defaults.listen),
        allow_hosts: options.allow_host.clone().unwrap_or_default(),
        tls_cert: options.tls_cert.clone(),
        tls_key: options.tls_key.clone(),
        token_file: options.token_file.clone(),
        cadvisor: if options.cadvisor.unwrap_or_default() {
            Cadvisor::On
        } else {
            Cadvisor::Off
        },
        ..defaults
    }
}

pub(super) fn export(options: &Options) -> ExportOptions {
    ExportOptions {
        level: match options.level.unwrap_or_default() {
            Level::Min => export::Level::Min,
            Level::Default => export::Level::Default,
            Level::Detail => export::Level::Detail,
        },
        tcp: if options.tcp.unwrap_or_default() {
            Tcp::On
        } else {
            Tcp::Off
        },
        max_series: options.max_series.unwrap_or(ExportOptions::MAX_SERIES),
    }
}
