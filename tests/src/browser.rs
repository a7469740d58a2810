//! A real browser without a window, told what to do by `WebDriver`.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::debian;
use crate::netns::Netns;
use crate::process::Daemon;
use crate::scratch::Scratch;
use crate::wait;

/// How long it may take to start, and a page to become what it should be, on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Without a sandbox, which root has none of; asking nobody for anything.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// A browser with one page, in a network namespace. Gone on drop.
#[derive(Debug)]
pub struct Browser {
    driver: SocketAddr,
    session: String,
    _daemon: Daemon,
    scratch: Scratch,
}

/// How the page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// In pixels of the page.
    pub width: u32,
    /// In pixels of the page.
    pub height: u32,
    /// `light` or `dark`.
    pub scheme: &'static str,
}

impl Browser {
    /// Starts one inside `netns`, which the calling thread has to be in as well ([`Netns::run`]).
    ///
    /// # Panics
    /// When `chromium` or `chromium-driver` are not installed, or do not come up.
    pub fn start(netns: &Netns) -> Self {
        let scratch = Scratch::new("browser");
        let chromium = debian::require("chromium", "chromium");
        // In a process namespace of its own, which ends with it: its many processes are nobody's
        // children once the driver is killed.
        let mut command = netns.command(debian::require("unshare", "util-linux"));
        command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
        command.arg(debian::require("chromedriver", "chromium-driver"));
        command.arg("--port=0");
        command
            .env("HOME", scratch.path())
            .env("TMPDIR", scratch.path());
        let log = scratch.join("driver.log");
        let mut daemon = Daemon::start(&mut command, &log);
        let port = |log: &str| {
            let (_, after) = log.split_once("started successfully on port ")?;
            after.split('.').next()?.trim().parse::<u16>().ok()
        };
        let file = log.clone();
        let said = move || std::fs::read_to_string(&file).unwrap_or_default();
        daemon.wait_ready(PATIENCE, || port(&said()).is_some());
        let port = port(&daemon.log()).expect("the driver told its port");
        let mut browser = Self {
            driver: SocketAddr::from(([127, 0, 0, 1], port)),
            session: String::new(),
            _daemon: daemon,
            scratch,
        };
        browser.session = browser.open_session(&chromium);
        browser
    }

    fn open_session(&self, chromium: &Path) -> String {
        let profile = self.scratch.join("profile");
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": {"browser": "ALL"},
            "goog:chromeOptions": {"binary": chromium, "args": arguments},
        }}});
        let answer = self.call("POST", "/session", &wanted);
        let id = answer.get("sessionId").and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("no session: {answer}"))
            .to_owned()
    }

    /// Goes to a page, and waits until it is loaded.
    ///
    /// # Panics
    /// As everything here: when the browser does not do it.
    pub fn visit(&self, url: &str) {
        self.command("/url", &json!({"url": url}));
    }

    /// Runs JavaScript in the page; `return` answers.
    pub fn eval(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Waits until a JavaScript expression is true.
    pub fn until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        let fine = wait::becomes_true(PATIENCE, || self.eval(&script) == true);
        assert!(
            fine,
            "{expression}\n{}",
            self.eval("return document.body.innerText")
        );
    }

    /// Sets size and colours.
    pub fn look(&self, look: Look) {
        let Look {
            width,
            height,
            scheme,
        } = look;
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1,
            "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", &features);
    }

    /// Presses a key, by its name in JavaScript.
    pub fn press(&self, key: &str) {
        let codes = [("Tab", 9), ("Enter", 13), (" ", 32)];
        let code = codes
            .iter()
            .find(|(name, _)| *name == key)
            .map_or(0, |(_, code)| *code);
        let text = if key == "Enter" { "\r" } else { key };
        for kind in ["keyDown", "keyUp"] {
            let mut event = json!({"type": kind, "key": key, "windowsVirtualKeyCode": code});
            if kind == "keyDown" && key != "Tab" {
                event =
                    json!({"type": kind, "key": key, "windowsVirtualKeyCode": code, "text": text});
            }
            self.devtools("Input.dispatchKeyEvent", &event);
        }
    }

    /// What the page complained about so far, which is forgotten then.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.command("/se/log", &json!({"type": "browser"}));
        let entries = log.as_array().into_iter().flatten();
        let message = |entry: &Value| Some(entry.get("message")?.as_str()?.to_owned());
        // The browser's own first page complains as well.
        let of_ours = |message: &String| !message.starts_with("chrome:");
        entries.filter_map(message).filter(of_ours).collect()
    }

    /// Writes a picture of the page as a PNG file below `BERTH_SCREENSHOTS`, where that is set.
    pub fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("BERTH_SCREENSHOTS") else {
            return;
        };
        let answer = self.call(
            "GET",
            &format!("/session/{}/screenshot", self.session),
            &Value::Null,
        );
        let text = answer.as_str().expect("a picture");
        let path = PathBuf::from(folder).join(name);
        std::fs::write(path, base64(text.as_bytes())).expect("write the picture");
    }

    fn devtools(&self, command: &str, parameters: &Value) {
        self.command(
            "/goog/cdp/execute",
            &json!({"cmd": command, "params": parameters}),
        );
    }

    fn command(&self, path: &str, body: &Value) -> Value {
        self.call("POST", &format!("/session/{}{path}", self.session), body)
    }

    /// One request to the driver, and the value it answers.
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.driver,
            body.len()
        );
        let mut stream = TcpStream::connect(self.driver).expect("connect to the driver");
        stream
            .set_read_timeout(Some(2 * PATIENCE))
            .expect("set a limit");
        stream
            .write_all(request.as_bytes())
            .expect("ask the driver");
        let (head, body) = answer_of(stream);
        let mut body: Value = serde_json::from_slice(&body).expect("JSON");
        let value = body.get_mut("value").map(Value::take).unwrap_or_default();
        assert!(head.starts_with("HTTP/1.1 200"), "{method} {path}: {value}");
        value
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends the browser's processes with the session.
        if !self.session.is_empty() && !std::thread::panicking() {
            self.call(
                "DELETE",
                &format!("/session/{}", self.session),
                &Value::Null,
            );
        }
    }
}

/// The head and the body of an answer; the driver keeps the connection open after it.
fn answer_of(stream: TcpStream) -> (String, Vec<u8>) {
    let mut lines = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read = lines.read_line(&mut head).expect("hear from the driver");
        assert_ne!(read, 0, "the driver is gone: {head}");
    }
    let small = head.to_ascii_lowercase();
    let length = small
        .split("content-length:")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let length = length.and_then(|length| length.trim().parse().ok());
    let mut body = vec![0; length.expect("a length")];
    lines.read_exact(&mut body).expect("all of it");
    (head, body)
}

/// Decodes base64 as the driver writes it.
fn base64(text: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text
        .iter()
        .filter_map(|byte| DIGITS.iter().position(|digit| digit == byte))
    {
        bits = (bits << 6 | u32::try_from(digit).expect("six bits")) & 0xFFFF;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xFF).expect("eight bits"));
        }
    }
    bytes
}
