//! Names that want to be more than names.

use super::given::{self, Busy};
use super::serve::with_browser;

const NAMES: [&str; 8] = [
    "<img src=x onerror=\"document.title='pwned'\">",
    "</script><script>document.title='pwned'</script>",
    "javascript:document.title='pwned'",
    "\"><svg onload=alert(1)>",
    "..",
    "-",
    "-.",
    "a/b?c#d%2e&e=f\u{202e}",
];

#[test]
fn case_54_names_of_pods_are_never_markup() {
    let mut node = given::node(NAMES.len());
    for (interface, name) in node.interfaces.iter_mut().zip(NAMES) {
        interface.pod = given::pod(name, name);
        name.clone_into(&mut interface.workload.name);
    }
    for (container, name) in node.containers.iter_mut().zip(NAMES) {
        container.pod = given::pod(name, name);
        name.clone_into(&mut container.name);
    }
    node.health.degraded = NAMES.map(str::to_owned).to_vec();
    NAMES[0].clone_into(&mut node.health.kernel);
    let found = "[...document.querySelectorAll('img, svg[onload], #main script')].length";
    with_browser(Busy::new(node), |browser, served| {
        browser.visit(&served.url("/"));
        browser.until("document.querySelectorAll('#rows tr').length >= 8");
        let words = browser.eval("return document.querySelector('#rows').textContent");
        for name in NAMES {
            assert!(words.as_str().unwrap().contains(name), "{name}");
        }
        let links =
            browser.eval("return [...document.querySelectorAll('#rows a')].map(a => a.href)");
        for (at, link) in links.as_array().unwrap().iter().enumerate() {
            let link = link.as_str().unwrap();
            assert!(link.starts_with(&served.url("/pods/")), "{link}");
            browser.visit(link);
            browser.until("document.querySelectorAll('#pod section').length >= 1");
            let heading = browser.eval("return document.querySelector('#pod-name').textContent");
            assert!(
                NAMES.iter().any(|name| heading == format!("{name}/{name}")),
                "{heading}"
            );
            let title = browser.eval("return document.title");
            let title = title.as_str().unwrap();
            assert!(title.starts_with("Berth traffic: "), "{at}: {title}");
            assert_eq!(browser.eval(&format!("return {found}")), 0, "{link}");
        }
        browser.visit(&served.url("/"));
        browser.until("document.querySelectorAll('#rows tr').length >= 8");
        assert_eq!(browser.eval(&format!("return {found}")), 0);
        // The policy alone would stop what a mistake let through.
        browser.eval(
            "const made = document.createElement('script'); made.textContent = 'window.pwned = 1'; \
             document.body.append(made)",
        );
        assert_eq!(browser.eval("return window.pwned === undefined"), true);
    });
}
