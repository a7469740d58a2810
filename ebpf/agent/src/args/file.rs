//! The TOML file with the same options.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Options;

/// Read when no other is named.
const DEFAULT: &str = "/etc/berth/traffic.toml";

/// Why the file says nothing.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read the configuration {path:?}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It says something that cannot be.
    #[error("configuration {path:?}: {problem}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What the parser says, which names field, value and what is allowed.
        problem: String,
    },
}

impl FileError {
    /// One sentence telling the operator what to do next.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "name a file that can be read with --config",
            Self::Wrong { .. } => {
                "mend the file; its fields are the long options of `traffic-agent --help`"
            }
        }
    }
}

/// The options of the command line, and of the file where that says nothing.
///
/// # Errors
/// [`FileError`].
pub fn merged(said: Options) -> Result<Options, FileError> {
    let text = match &said.config {
        Some(path) => Some((path.clone(), read(path)?)),
        None => match read(Path::new(DEFAULT)) {
            Ok(text) => Some((DEFAULT.into(), text)),
            Err(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        },
    };
    let Some((path, text)) = text else {
        return Ok(said);
    };
    let file: Options = toml::from_str(&text).map_err(|error| FileError::Wrong {
        path,
        problem: error.to_string().trim().replace('\n', " "),
    })?;
    Ok(over(said, file))
}

fn over(said: Options, file: Options) -> Options {
    let Options {
        config,
        run_dir,
        bpffs,
        state_dir,
        node,
        level,
        tcp,
        containers,
        cri,
        cgroup,
        cluster_cidr,
        hook,
        attach_order,
        show_ended,
        listen,
        allow_host,
        tls_cert,
        tls_key,
        token_file,
        sample_programs,
        max_series,
        cadvisor,
    } = said;
    Options {
        config,
        run_dir: run_dir.or(file.run_dir),
        bpffs: bpffs.or(file.bpffs),
        state_dir: state_dir.or(file.state_dir),
        node: node.or(file.node),
        level: level.or(file.level),
        tcp: tcp.or(file.tcp),
        containers: containers.or(file.containers),
        cri: cri.or(file.cri),
        cgroup: cgroup.or(file.cgroup),
        cluster_cidr: cluster_cidr.or(file.cluster_cidr),
        hook: hook.or(file.hook),
        attach_order: attach_order.or(file.attach_order),
        show_ended: show_ended.or(file.show_ended),
        listen: listen.or(file.listen),
        allow_host: allow_host.or(file.allow_host),
        tls_cert: tls_cert.or(file.tls_cert),
        tls_key: tls_key.or(file.tls_key),
        token_file: token_file.or(file.token_file),
        sample_programs: sample_programs.or(file.sample_programs),
        max_series: max_series.or(file.max_series),
        cadvisor: cadvisor.or(file.cadvisor),
    }
}

fn read(path: &Path) -> Result<String, FileError> {
    fs::read_to_string(path).map_err(|source| FileError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Level;

    #[test]
    fn the_command_line_wins_over_the_file_and_a_wrong_field_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("traffic.toml");
        let with = |text: &str| {
            fs::write(&path, text).unwrap();
            let said = Options {
                config: Some(path.clone()),
                level: Some(Level::Min),
                ..Options::default()
            };
            merged(said)
        };
        let both = with("level = \"detail\"\nrun-dir = \"/run/other\"").unwrap();
        assert_eq!(both.level, Some(Level::Min));
        assert_eq!(both.run_dir, Some("/run/other".into()));
        let error = with("levle = \"detail\"").unwrap_err().to_string();
        assert!(error.contains("levle"), "{error}");
        let error = with("level = \"all\"").unwrap_err().to_string();
        assert!(error.contains("all") && error.contains("detail"), "{error}");
    }
}
