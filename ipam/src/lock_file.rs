//! Files that processes of one node lock to keep out of each other's way.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Opens a file that is there to be locked, for reading and writing by its owner alone, and makes it
/// and its folder the first time.
///
/// # Errors
/// What the system says.
pub fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    let options = options
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .mode(0o600);
    let open = || options.open(path);
    match (open(), path.parent()) {
        (Err(error), Some(folder)) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder)?;
            open()
        }
        (result, _) => result,
    }
}
