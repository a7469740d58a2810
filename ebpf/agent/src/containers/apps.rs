//! What the owners of pods call their applications.

use std::collections::BTreeMap;

use super::cri::Runtime;
use crate::model::Interface;

/// The applications of the sandboxes that are shown. The runtime forgets a sandbox before it is.
#[derive(Debug, Default)]
pub(super) struct Apps(BTreeMap<String, String>);

impl Apps {
    /// Adds to `interfaces` what `runtime` says, or has said while they were shown.
    pub(super) fn tell(&mut self, runtime: &Runtime, interfaces: &mut [Interface]) {
        let before = std::mem::take(&mut self.0);
        for interface in interfaces {
            let sandbox = interface.container.as_str();
            let said = runtime.app_of(sandbox);
            let app = said.or_else(|| before.get(sandbox).map(String::as_str));
            interface.app = app.map(str::to_owned);
            self.0
                .extend(app.map(|app| (sandbox.to_owned(), app.to_owned())));
        }
    }
}
