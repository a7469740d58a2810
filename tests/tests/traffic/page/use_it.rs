//! What can be done with the page, by mouse and by keys.

use std::sync::Arc;

use super::given::{self, Busy, Told};
use super::serve::{Served, with_browser};

const ROWS: &str = "document.querySelectorAll('#rows tr').length";

/// The first cell of the first row.
const FIRST: &str = "document.querySelector('#rows th').textContent";

#[test]
fn rows_are_sorted_filtered_and_paused() {
    with_browser(Busy::new(given::node(20)), |browser, served| {
        browser.visit(&served.url("/"));
        browser.until(&format!("{ROWS} === 60"));
        // The one that carries most is above.
        browser.until(&format!("{FIRST}.includes('00000')"));
        let sort = "[...document.querySelectorAll('#heads th')].map(th => th.ariaSort)";
        assert_eq!(browser.eval(&format!("return {sort}[1]")), "descending");
        browser.eval("document.querySelectorAll('#heads button')[1].click()");
        assert_eq!(browser.eval(&format!("return {sort}[1]")), "ascending");
        browser.until(&format!("{FIRST}.includes('00019')"));
        browser.eval("document.querySelectorAll('#heads button')[0].click()");
        browser.until(&format!("{FIRST}.startsWith('bank/')"));

        browser.eval("document.querySelector('#with-containers').click()");
        browser.until(&format!("{ROWS} === 20"));
        let filter = |words: &str| {
            browser.eval(&format!(
                "const box = document.querySelector('#filter'); box.value = {words:?}; \
                 box.dispatchEvent(new Event('input'))"
            ));
        };
        filter("SHOP 00004");
        browser.until(&format!("{ROWS} === 1"));
        filter("nothing like it");
        browser
            .until("document.querySelector('#empty').textContent === 'Nothing fits the filter.'");
        filter("");

        browser.eval("document.querySelector('#pause').click()");
        browser.until("document.querySelector('#state').textContent === 'Paused'");
        let received = "return document.querySelectorAll('#rows tr td')[3].textContent";
        let before = browser.eval(received);
        let taken = browser.eval("return document.querySelector('#state').dataset.taken");
        browser.until(&format!(
            "document.querySelector('#state').dataset.taken !== {taken}"
        ));
        assert_eq!(browser.eval(received), before);
        browser.eval("document.querySelector('#pause').click()");
        browser.until("document.querySelector('#state').textContent === 'Live'");
    });
}

#[test]
fn all_of_it_can_be_done_by_keys_and_read_aloud() {
    with_browser(Busy::new(given::node(3)), |browser, served| {
        browser.visit(&served.url("/"));
        browser.until(&format!("{ROWS} === 9"));
        let focused = "document.activeElement";
        let tab_to = |what: &str| {
            for _ in 0..12 {
                browser.press("Tab");
                if browser.eval(&format!("return {focused}.matches({what:?})")) == true {
                    return;
                }
            }
            panic!("{what} is not reached");
        };
        tab_to(".skip");
        tab_to("#filter");
        tab_to("#pause");
        browser.press("Enter");
        browser.until("document.querySelector('#pause').ariaPressed === 'true'");
        browser.press("Enter");
        tab_to("#heads button");
        browser.press("Enter");
        browser.until("document.querySelector('#heads th').ariaSort !== 'none'");
        tab_to("#rows a");
        // A second later the focus is still on the same pod.
        let link = browser.eval(&format!("return {focused}.href"));
        let taken = browser.eval("return document.querySelector('#state').dataset.taken");
        browser.until(&format!(
            "document.querySelector('#state').dataset.taken !== {taken}"
        ));
        assert_eq!(browser.eval(&format!("return {focused}.href")), link);
        browser.press("Enter");
        browser.until("document.querySelectorAll('#pod section').length === 3");

        browser.visit(&served.url("/"));
        browser.until(&format!("{ROWS} === 9"));
        for (what, why) in [
            (
                "document.documentElement.lang === 'en'",
                "the language is told",
            ),
            (
                "document.querySelector('#table caption').textContent.length > 10",
                "a caption",
            ),
            (
                "[...document.querySelectorAll('#heads th')].every(th => th.scope === 'col')",
                "heads",
            ),
            (
                "[...document.querySelectorAll('#rows th')].every(th => th.scope === 'row')",
                "rows",
            ),
            (
                "document.querySelector('#state').role === 'status'",
                "changes are announced",
            ),
            (
                "[...document.querySelectorAll('input')].every(i => i.labels.length === 1)",
                "labels",
            ),
            (
                "[...document.querySelectorAll('svg')].every(s => s.ariaHidden === 'true')",
                "pictures",
            ),
        ] {
            assert_eq!(browser.eval(&format!("return {what}")), true, "{why}");
        }
    });
}

#[test]
fn the_header_tells_how_the_agent_does() {
    let source = Told::new(given::node(3));
    with_browser(Arc::clone(&source), |browser, served| {
        browser.visit(&served.url("/"));
        browser.until(&format!("{ROWS} === 9"));
        let header = browser.eval("return document.querySelector('header').innerText");
        let header = header.as_str().unwrap().replace('\n', " ");
        for words in ["node-1", "tcx", "3 of 4", "0.20 %", "6.18.0"] {
            assert!(header.contains(words), "{words}: {header}");
        }
        browser
            .until("document.querySelector('#degraded li').textContent.includes('by its device')");
        let mut mended = given::node(3);
        mended.health.degraded.clear();
        mended.taken = given::noon() + jiff::SignedDuration::from_secs(1);
        source.tell(mended);
        browser.until("document.querySelector('#degraded').hidden");
    });
}

#[test]
fn a_page_outlives_a_restart_of_the_agent() {
    let source = Busy::new(given::node(3));
    with_browser(Arc::clone(&source), |browser, first| {
        // One of its own: the first has to stay until the end.
        let agent = Served::start(Arc::clone(&source));
        let port = agent.address.port();
        browser.visit(&agent.url("/"));
        browser.until(&format!("{ROWS} === 9"));
        drop(agent);
        browser.until("document.querySelector('#state').classList.contains('bad')");
        let again = Served::on(port, Arc::clone(&source));
        browser.until("document.querySelector('#state').textContent === 'Live'");
        browser.until(&format!("{ROWS} === 9"));
        drop((again, first));
    });
}
