//! What the page looks like: it fits, whatever the width, and complains of nothing.

use e2e::browser::Look;

use super::given::{self, Busy};
use super::serve::with_browser;

const DESKTOP: Look = Look {
    width: 1280,
    height: 800,
    scheme: "light",
};
const PHONE: Look = Look {
    width: 390,
    height: 844,
    scheme: "dark",
};

/// Nothing sticks out to the right.
const FITS: &str = "document.documentElement.scrollWidth <= window.innerWidth";

#[test]
fn the_page_fits_a_desktop_and_a_phone_in_both_colours() {
    let mut node = given::node(24);
    node.interfaces[3].ended = true;
    node.interfaces[5].mode = [traffic_agent::model::Mode::Device; 2];
    node.interfaces[7].estimated = true;
    with_browser(Busy::new(node), |browser, served| {
        for (look, name) in [(DESKTOP, "desktop"), (PHONE, "phone")] {
            browser.look(look);
            browser.visit(&served.url("/"));
            browser.until("document.querySelectorAll('#rows tr').length === 72");
            browser.until("document.querySelector('#rows td').textContent.endsWith('Mbit/s')");
            browser.until(FITS);
            browser.until("document.querySelector('#rows polyline').getAttribute('points').split(' ').length >= 4 || document.querySelector('.narrow-off').offsetParent === null");
            browser.picture(&format!("{name}.png"));

            let look = Look {
                scheme: if look.scheme == "dark" {
                    "light"
                } else {
                    "dark"
                },
                ..look
            };
            browser.look(look);
            browser.visit(&served.url("/pods/shop/web-7d9c8b6f5-00000"));
            browser.until("document.querySelectorAll('#pod section').length === 3");
            browser.until("document.querySelector('#pod polyline').getAttribute('points').split(' ').length >= 5");
            browser.until(FITS);
            browser.picture(&format!("{name}-pod.png"));
        }
        assert_eq!(
            browser.complaints(),
            [""; 0],
            "nothing was refused, and nothing is missing"
        );
    });
}

#[test]
fn a_node_without_containers_says_so() {
    with_browser(given::Told::new(given::empty()), |browser, served| {
        browser.visit(&served.url("/"));
        browser.until("document.querySelector('#empty').offsetParent !== null");
        browser.visit(&served.url("/pods/shop/nobody"));
        browser.until("document.querySelector('#pod').textContent.includes('no such pod')");
    });
}

#[test]
fn a_thousand_pods_are_shown_a_hundred_rows_at_a_time() {
    with_browser(Busy::new(given::node(1000)), |browser, served| {
        browser.look(DESKTOP);
        browser.visit(&served.url("/"));
        browser.until("document.querySelectorAll('#rows tr').length === 100");
        browser.until("document.querySelector('#count').textContent === '1,000 interfaces'");
        browser.eval("document.querySelector('#more').click()");
        browser.until("document.querySelectorAll('#rows tr').length === 200");
        // A redraw of all of it leaves most of a second to everything else.
        let spent = browser.eval(
            "const begun = performance.now(); \
             document.querySelector('#filter').dispatchEvent(new Event('input')); \
             return performance.now() - begun;",
        );
        assert!(spent.as_f64().unwrap() < 5000.0, "{spent} ms");
        browser.picture("thousand.png");
        assert_eq!(browser.complaints(), [""; 0]);
    });
}
