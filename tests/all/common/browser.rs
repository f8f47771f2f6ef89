//! Debian's chromium without a window, spoken to over the DevTools protocol by two pipes.
//!
//! Correct means: a browser that does not answer fails its test within a minute, and none outlives the test that
//! started it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::{Value, json};

/// Waits of a tenth of a second for one answer. The clock is not asked: this process may be stopped for minutes.
const WAITS: usize = 600;

/// A browser with one tab.
pub(crate) struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    /// The tab, once there is one.
    session: Option<String>,
    sent: u64,
    /// What the tab has told without being asked, since the last page was opened.
    pub(crate) events: Vec<Value>,
}

impl Browser {
    /// `None`, and a reason on stderr, where there is no chromium. The folder is for its profile and pipes.
    pub(crate) fn start(folder: &Path) -> Option<Browser> {
        if Command::new("chromium").arg("--version").output().is_err() {
            eprintln!("skipped: there is no chromium here (package chromium)");
            return None;
        }
        // The protocol is read from file 3 and written to file 4.
        let [to, from] = ["to", "from"].map(|name| folder.join(name));
        for pipe in [&to, &from] {
            mkfifo(pipe, Mode::S_IRWXU).expect("a named pipe");
        }
        // To open one end alone waits for the other; to open both does not.
        let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path);
        let (to_browser, from_browser) = (open(&to).expect("opens"), open(&from).expect("opens"));
        let mut child = Command::new("sh");
        child
            .args([
                "-c",
                "to=$1 from=$2; shift 2; exec chromium \"$@\" 3<\"$to\" 4>\"$from\"",
                "sh",
            ])
            .args([&to, &from])
            .args([
                "--headless",
                "--disable-gpu",
                "--no-first-run",
                "--disable-dev-shm-usage",
            ])
            .arg("--remote-debugging-pipe")
            .arg(format!(
                "--user-data-dir={}",
                folder.join("profile").display()
            ));
        // Chromium's own sandbox refuses root, whose the pipes are then.
        if to.metadata().expect("a pipe").uid() == 0 {
            child.arg("--no-sandbox");
        }
        let child = child
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join("stderr")).expect("creates"))
            .spawn()
            .expect("sh starts");
        let (tell, heard) = mpsc::channel();
        std::thread::spawn(move || {
            for message in BufReader::new(from_browser).split(0) {
                let message = message.expect("reads");
                let message = serde_json::from_slice(&message).expect("JSON");
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Browser {
            child,
            to: to_browser,
            from: heard,
            session: None,
            sent: 0,
            events: Vec::new(),
        };
        let tab = browser.ask("Target.createTarget", json!({"url": "about:blank"}));
        let tab = json!({"targetId": tab["targetId"], "flatten": true});
        let session = &browser.ask("Target.attachToTarget", tab)["sessionId"];
        browser.session = session.as_str().map(str::to_string);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.ask(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// What the browser answers.
    pub(crate) fn ask(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let text = format!("{message}\0");
        self.to.write_all(text.as_bytes()).expect("writes");
        loop {
            let heard = self.hear(method);
            if heard["id"] == self.sent {
                assert!(heard["error"].is_null(), "{method}: {heard}");
                return heard["result"].clone();
            }
            self.events.push(heard);
        }
    }

    fn hear(&mut self, waiting_for: &str) -> Value {
        for _ in 0..WAITS {
            match self.from.recv_timeout(Duration::from_millis(100)) {
                Ok(heard) => return heard,
                Err(RecvTimeoutError::Timeout) => {
                    let ended = self.child.try_wait().expect("a child");
                    assert!(ended.is_none(), "{waiting_for}: chromium ended: {ended:?}");
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        panic!("{waiting_for}: chromium does not answer");
    }

    /// A page on a screen so many pixels wide, `light` or `dark`; returns when all of it is there.
    pub(crate) fn open(&mut self, page: &Path, scheme: &str, width: u32) {
        self.open_at(&url(page), scheme, width);
    }

    /// The same of a page that has another address than a file.
    pub(crate) fn open_at(&mut self, url: &str, scheme: &str, width: u32) {
        let scheme = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.ask("Emulation.setEmulatedMedia", json!({"features": scheme}));
        let is_phone = width < 500;
        let screen =
            json!({"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": is_phone});
        self.ask("Emulation.setDeviceMetricsOverride", screen);
        self.events.clear();
        self.ask("Page.navigate", json!({"url": url}));
        while !self.told("Page.loadEventFired").any(|_| true) {
            let heard = self.hear(url);
            self.events.push(heard);
        }
    }

    /// What was told by one name.
    pub(crate) fn told<'a>(&'a self, method: &'a str) -> impl Iterator<Item = &'a Value> {
        let own = self
            .events
            .iter()
            .filter(move |one| one["method"] == method);
        own.map(|one| &one["params"])
    }

    /// The value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked = json!({"expression": expression, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", asked);
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{expression}: {thrown:#}");
        answer["result"]["value"].clone()
    }

    /// Moves the pointer to the middle of the first element that a selector names.
    pub(crate) fn point_at(&mut self, selector: &str) {
        let place = self.value(&format!(
            "(() => {{ const one = document.querySelector({selector:?}); one.scrollIntoView({{block: 'center'}}); \
             const at = one.getBoundingClientRect(); return [at.x + at.width / 2, at.y + at.height / 2]; }})()"
        ));
        let moved = json!({"type": "mouseMoved", "x": place[0], "y": place[1]});
        self.ask("Input.dispatchMouseEvent", moved);
    }
}

/// A file as a browser names it.
pub(crate) fn url(page: &Path) -> String {
    format!("file://{}", page.display())
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ended or not, nothing more is wanted of it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
