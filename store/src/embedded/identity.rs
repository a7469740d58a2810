//! The store's id, and noticing that its file is a copy.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use heed::{Env, MdbError, WithoutTls};

use super::content::Table;

/// What tells one file from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileMark {
    inode: u64,
    /// Nanoseconds since 1970; `None` where the file system does not say.
    born: Option<u128>,
}

/// The mark of the data file in `folder`.
pub(super) fn of(folder: &Path) -> io::Result<FileMark> {
    let metadata = fs::metadata(folder.join("data.mdb"))?;
    let born = metadata.created().ok();
    let born = born.and_then(|born| born.duration_since(UNIX_EPOCH).ok());
    Ok(FileMark {
        inode: metadata.ino(),
        born: born.map(|since| since.as_nanos()),
    })
}

impl FileMark {
    fn text(&self) -> String {
        let born = self.born.map(|born| born.to_string()).unwrap_or_default();
        format!("{} {born}", self.inode)
    }

    /// Whether `text` may be of this file; what either does not say decides nothing.
    fn may_be(&self, text: &[u8]) -> bool {
        let text = String::from_utf8_lossy(text);
        let Some((inode, born)) = text.split_once(' ') else {
            return false;
        };
        let said = born.parse::<u128>().ok();
        let born_alike = said.zip(self.born).is_none_or(|(said, own)| said == own);
        inode.parse() == Ok(self.inode) && born_alike
    }
}

/// A fresh id.
pub(super) fn draw() -> heed::Result<String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random)
        .map_err(|error| heed::Error::Io(io::Error::other(error.to_string())))?;
    Ok(format!("{:032x}", u128::from_be_bytes(random)))
}

/// The store's id. A file that is not the one the id was drawn for gets a new one; only then, and
/// where no file is noted yet, is the write lock taken.
pub(super) fn settle(env: &Env<WithoutTls>, meta: Table, file: &FileMark) -> heed::Result<String> {
    let corrupted = || heed::Error::Mdb(MdbError::Corrupted);
    let reading = env.read_txn()?;
    if meta
        .get(&reading, b"file")?
        .is_some_and(|text| file.may_be(text))
    {
        let id = meta.get(&reading, b"id")?.ok_or_else(corrupted)?;
        return Ok(String::from_utf8_lossy(id).into_owned());
    }
    drop(reading);
    let mut writing = env.write_txn()?;
    let noted = meta.get(&writing, b"file")?.map(<[u8]>::to_vec);
    let id = meta.get(&writing, b"id")?.ok_or_else(corrupted)?;
    let mut id = String::from_utf8_lossy(id).into_owned();
    // Another process may have been here first.
    if noted.as_deref().is_some_and(|text| file.may_be(text)) {
        return Ok(id);
    }
    if noted.is_some() {
        id = draw()?;
        meta.put(&mut writing, b"id", id.as_bytes())?;
    }
    meta.put(&mut writing, b"file", file.text().as_bytes())?;
    writing.commit()?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_inode_and_birth_as_far_as_both_are_said() {
        let mark = |inode, born| FileMark { inode, born };
        let cases = [
            (mark(7, Some(9)), mark(7, Some(9)), true),
            (mark(7, Some(9)), mark(7, Some(8)), false),
            (mark(7, Some(9)), mark(8, Some(9)), false),
            (mark(7, Some(9)), mark(7, None), true),
            (mark(7, None), mark(7, Some(9)), true),
            (mark(7, None), mark(8, None), false),
        ];
        for (noted, own, alike) in cases {
            assert_eq!(
                own.may_be(noted.text().as_bytes()),
                alike,
                "{noted:?} {own:?}"
            );
        }
        assert!(!mark(7, None).may_be(b"rubbish"));
    }
}
