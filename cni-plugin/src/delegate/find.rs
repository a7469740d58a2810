//! A plugin's program in `CNI_PATH`.

use std::path::{Path, PathBuf};

use crate::spec::{CniError, Code, PluginName};

/// The first regular file of that name in the folders of `path`, as the Go library looks for it.
pub(super) fn program(plugin: &PluginName, path: Option<&str>) -> Result<PathBuf, CniError> {
    let Some(path) = path else {
        let message = format!("CNI_PATH is not set, and ipam.type names the plugin {plugin}");
        return Err(CniError::new(Code::InvalidEnvironment, message)
            .details("set CNI_PATH to the folders of plugins, separated by ':'"));
    };
    let folders = path.split(':').filter(|folder| !folder.is_empty());
    let mut candidates = folders.map(|folder| Path::new(folder).join(plugin.as_str()));
    candidates.find(|path| path.is_file()).ok_or_else(|| {
        let remedy = format!("install that plugin in a folder of CNI_PATH, which is {path}");
        CniError::field("ipam.type", format!("{:?}", plugin.as_str()), &remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_folder_with_a_regular_file_of_that_name_counts() {
        let [first, second] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        std::fs::create_dir(first.path().join("static")).unwrap();
        std::fs::write(second.path().join("static"), "").unwrap();
        let path = format!(":{}:{}", first.path().display(), second.path().display());
        let found = program(&"static".parse().unwrap(), Some(&path));
        assert_eq!(found, Ok(second.path().join("static")));
        let missing = program(&"host-local".parse().unwrap(), Some(&path)).unwrap_err();
        assert_eq!(missing.code(), Code::InvalidConfig);
        assert!(missing.to_string().contains("host-local"), "{missing}");
        let unset = program(&"static".parse().unwrap(), None).unwrap_err();
        assert_eq!(unset.code(), Code::InvalidEnvironment);
        assert!(unset.to_string().contains("CNI_PATH"), "{unset}");
    }
}
