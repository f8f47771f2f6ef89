//! `serve`, asked as a browser asks it, and as others might.
//!
//! Correct means: who knows the token has a text's numbers or what is wrong with it; whoever does not, or comes from
//! elsewhere, or sends what cannot be, has nothing run and is told why; and the server outlives all of it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{command, fresh, wait_until, workers_of};
use dispatchlab::sys::interrupt;
use dispatchlab::web::{MOST_BYTES, SLOW, WAITING};

/// A server that runs.
pub(crate) struct Served {
    child: Child,
    port: u16,
    token: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request, and the status of its answer: its method, its path, its headers, its body.
type Sent<'a> = (u16, &'a str, &'a str, Vec<(&'a str, &'a str)>, &'a str);

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    head: String,
    body: String,
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Served {
    pub(crate) fn start(place: &Path) -> Served {
        Served::start_with(place, &[])
    }

    pub(crate) fn start_with(place: &Path, options: &[&str]) -> Served {
        let words = [&["serve", "--counters", "clock"], options].concat();
        let mut command = command(place, &words);
        let mut child = interrupt::allow_in(&mut command)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        let mut printed = BufReader::new(child.stdout.take().expect("piped"));
        printed.read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("http://127.0.0.1:");
        let address = address.and_then(|rest| rest.strip_suffix('/')?.split_once('/'));
        let (port, token) = address.unwrap_or_else(|| panic!("no address: {line}"));
        Served {
            port: port.parse().expect("a port"),
            token: token.to_string(),
            child,
        }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let open = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        open.expect("its descriptors").count()
    }

    /// Where its page is.
    pub(crate) fn address(&self) -> String {
        format!("http://{}{}", self.host(), self.path(""))
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(120)))
            .expect("a limit");
        stream
    }

    /// Sends a request with these headers and no others.
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answered {
        let mut stream = self.connect();
        let lines = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"));
        let lines: String = lines.collect();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\n{lines}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).expect("writes");
        // Whoever is refused early reads no further.
        let _ = stream.write_all(body.as_bytes());
        heard(stream)
    }

    fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    fn path(&self, rest: &str) -> String {
        format!("/{}/{rest}", self.token)
    }

    fn get(&self, rest: &str) -> Answered {
        self.send("GET", &self.path(rest), &[("Host", &self.host())], "")
    }

    fn post(&self, body: &str) -> Answered {
        self.post_to("api/run", body)
    }

    pub(crate) fn post_to(&self, path: &str, body: &str) -> Answered {
        let headers = [
            ("Host", &self.host()[..]),
            ("Content-Type", "application/json"),
        ];
        self.send("POST", &self.path(path), &headers, body)
    }

    /// The status of an empty request, with the token or without it.
    pub(crate) fn status_of(&self, method: &str, path: &str, has_token: bool) -> u16 {
        let path = match has_token {
            true => self.path(path),
            false => format!("/{path}"),
        };
        let json = ("Content-Type", "application/json");
        self.send(method, &path, &[("Host", &self.host()), json], "{}")
            .status
    }

    fn run(&self, text: &str) -> Answered {
        self.post(&json!({ "name": "own", "text": text }).to_string())
    }
}

fn heard(mut stream: TcpStream) -> Answered {
    let mut bytes = Vec::new();
    // One that is cut off has said what it had to say.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Answered {
        status: status.unwrap_or(0),
        head: head.to_lowercase(),
        body: body.to_string(),
    }
}

pub(crate) fn place() -> &'static PathBuf {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| fresh("served"))
}

pub(crate) fn adds(count: usize) -> String {
    format!("body:\n{}", " add rax, 1\n".repeat(count))
}

fn cycles(answered: &Answered) -> f64 {
    let document = answered.json();
    let cycles = &document["report"]["rows"][0]["metrics"]["cycles"]["value"];
    cycles
        .as_f64()
        .unwrap_or_else(|| panic!("no number: {document:#}"))
}

#[test]
fn the_page_is_there_and_loads_nothing_from_elsewhere() {
    let served = Served::start(place());
    for (name, kind) in [
        ("", "text/html"),
        ("app.js", "text/javascript"),
        ("style.css", "text/css"),
    ] {
        let answered = served.get(name);
        assert_eq!(answered.status, 200, "{name}");
        assert!(
            answered.head.contains(&format!("content-type: {kind}")),
            "{}",
            answered.head
        );
        for said in [
            "content-security-policy: default-src 'none'; script-src 'self';",
            "cache-control: no-store",
            "referrer-policy: no-referrer",
            "x-content-type-options: nosniff",
        ] {
            assert!(
                answered.head.contains(said),
                "{name}: {said}: {}",
                answered.head
            );
        }
        assert!(
            !answered.head.contains("access-control"),
            "{}",
            answered.head
        );
        // The name of a language is no address.
        let text = answered.body.replace("http://www.w3.org/2000/svg", "");
        let leads_out: Vec<&str> = text
            .match_indices("http")
            .map(|(at, _)| &text[at..(at + 40).min(text.len())])
            .filter(|text| text.contains("//"))
            .collect();
        assert_eq!(leads_out, Vec::<&str>::new(), "{name}");
    }
    let templates = served.get("api/templates").json();
    let names = templates["templates"].as_array().expect("a list");
    assert!(
        names
            .iter()
            .any(|one| one["name"] == "itab_call" && one["text"].is_string())
    );
}

#[test]
fn a_text_has_its_numbers_its_code_and_its_parameters() {
    let served = Served::start(place());
    let one = served.run(&adds(4));
    let four = served.run(&adds(16));
    assert!(
        cycles(&four) > 2.0 * cycles(&one),
        "{} {}",
        cycles(&one),
        cycles(&four)
    );
    let document = four.json();
    let row = &document["report"]["rows"][0];
    assert_eq!(row["metrics"]["instructions"]["value"], 16.0);
    assert_eq!(row["metrics"]["instructions"]["basis"], "exact");
    assert_eq!(row["metrics"]["cycles"]["basis"], "measured");
    let code = &row["listing"]["functions"][0]["instructions"];
    assert_eq!(code[15]["line"], 17, "{code:#}");
    let params = document["params"].as_array().expect("a list");
    assert!(
        params.iter().any(|one| one["name"] == "align"),
        "{document:#}"
    );
    let aligned = served
        .post(&json!({ "name": "own", "text": adds(1), "params": { "align": "8" } }).to_string());
    assert_eq!(
        aligned.json()["report"]["rows"][0]["scenario"],
        "own[align=8]"
    );
}

#[test]
fn a_wrong_text_has_its_diagnostics_and_a_crash_its_line_and_both_leave_the_server_answering() {
    let served = Served::start(place());
    let wrong = served.run("body:\n add rax, 1\n muv rax, 1\n").json();
    assert_eq!(wrong["diagnostics"][0]["line"], 3, "{wrong:#}");
    assert!(wrong["report"].is_null(), "{wrong:#}");
    let crashed = served.run("body:\n mov rax, [0]\n").json();
    let row = &crashed["report"]["rows"][0];
    assert_eq!(row["status"], "fault", "{row:#}");
    assert_eq!(row["fault"]["line"], 2, "{row:#}");
    assert!(
        crashed["reasons"][0]
            .as_str()
            .is_some_and(|why| why.contains("SIGSEGV")),
        "{crashed:#}"
    );
    let endless = served.run("body:\n1: jmp 1b\n").json();
    assert_eq!(
        endless["report"]["rows"][0]["status"], "timeout",
        "{endless:#}"
    );
    let nothing = served.run("").json();
    assert!(
        !nothing["diagnostics"]
            .as_array()
            .expect("a list")
            .is_empty(),
        "{nothing:#}"
    );
    let bound = json!({ "name": "own", "text": adds(1), "params": { "align": "many" } });
    let bound = served.post(&bound.to_string()).json();
    assert!(
        bound["refused"]
            .as_str()
            .is_some_and(|why| why.contains("align")),
        "{bound:#}"
    );
    assert!(cycles(&served.run(&adds(4))) > 0.0);
}

#[test]
fn whoever_does_not_know_the_token_or_comes_from_elsewhere_is_refused() {
    let served = Served::start(place());
    let host = served.host();
    let localhost = format!("localhost:{}", served.port);
    let own = format!("http://{host}");
    let run = served.path("api/run");
    let json = ("Content-Type", "application/json");
    let text = json!({ "name": "own", "text": adds(1) }).to_string();
    let wrong = format!("/{}0/api/run", &served.token[1..]);
    let short = format!("/{}/api/run", &served.token[1..]);
    let other_port = format!("127.0.0.1:{}", served.port ^ 1);
    #[rustfmt::skip] // a table: one request a line
    let table: [Sent<'_>; 24] = [
        (200, "POST", &run, vec![("Host", &host), json], &text),
        (200, "POST", &run, vec![("Host", &localhost), json, ("Origin", &own)], &text),
        (200, "POST", &run, vec![("Host", &host), ("Content-Type", "Application/JSON; charset=utf-8"), ("Sec-Fetch-Site", "same-origin")], &text),
        (403, "POST", "/api/run", vec![("Host", &host), json], &text),
        (403, "POST", &wrong, vec![("Host", &host), json], &text),
        (403, "POST", &short, vec![("Host", &host), json], &text),
        (403, "GET", "/", vec![("Host", &host)], ""),
        (421, "POST", &run, vec![("Host", "evil.example"), json], &text),
        (421, "POST", &run, vec![("Host", &other_port), json], &text),
        (421, "POST", &run, vec![("Host", "127.0.0.1"), json], &text),
        (421, "POST", &run, vec![json], &text),
        (403, "POST", &run, vec![("Host", &host), json, ("Origin", "http://evil.example")], &text),
        (403, "POST", &run, vec![("Host", &host), json, ("Origin", "null")], &text),
        (403, "POST", &run, vec![("Host", &host), json, ("Origin", &own), ("Origin", "http://evil.example")], &text),
        (403, "GET", &served.path("api/templates"), vec![("Host", &host), ("Sec-Fetch-Site", "cross-site")], ""),
        (415, "POST", &run, vec![("Host", &host), ("Content-Type", "text/plain")], &text),
        (415, "POST", &run, vec![("Host", &host)], &text),
        (400, "POST", &run, vec![("Host", &host), json], "{"),
        (400, "POST", &run, vec![("Host", &host), json], "{\"name\":\"own\"}"),
        (400, "POST", &run, vec![("Host", &host), json], "{\"name\":\"own\",\"text\":\"\",\"shell\":\"ls\"}"),
        (404, "GET", &served.path("etc/passwd"), vec![("Host", &host)], ""),
        (404, "GET", &served.path("../../Cargo.toml"), vec![("Host", &host)], ""),
        (405, "GET", &run, vec![("Host", &host)], ""),
        (405, "OPTIONS", &run, vec![("Host", &host), ("Origin", &own)], ""),
    ];
    for (status, method, path, headers, body) in table {
        let answered = served.send(method, path, &headers, body);
        assert_eq!(
            answered.status, status,
            "{method} {headers:?}: {answered:?}"
        );
        assert!(
            !answered.head.contains("access-control"),
            "{}",
            answered.head
        );
        if status != 200 {
            assert!(answered.json()["error"].is_string(), "{answered:?}");
            assert!(!answered.body.contains(&served.token), "{answered:?}");
        }
    }
}

#[test]
fn what_is_too_large_is_refused_and_what_is_just_not_is_read() {
    let served = Served::start(place());
    let body = |bytes: usize| {
        let rest = json!({ "name": "own", "text": "" }).to_string().len();
        json!({ "name": "own", "text": " ".repeat(bytes - rest) }).to_string()
    };
    assert_eq!(served.post(&body(MOST_BYTES)).status, 200);
    assert_eq!(served.post(&body(MOST_BYTES + 1)).status, 413);
    let mut stream = served.connect();
    let head = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n",
        served.path(""),
        served.host(),
        "x".repeat(1 << 20)
    );
    let _ = stream.write_all(head.as_bytes());
    assert_ne!(heard(stream).status, 200);
    assert_eq!(served.get("").status, 200);
}

#[test]
fn whoever_is_slow_is_cut_off_and_keeps_nobody_waiting() {
    let served = Served::start(place());
    let (host, run) = (served.host(), served.path("api/run"));
    let mut head = served.connect();
    head.write_all(format!("POST {run} HTTP/1.1\r\nHost: {host}\r\n").as_bytes())
        .expect("writes");
    let mut body = served.connect();
    let begun = format!(
        "POST {run} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{"
    );
    body.write_all(begun.as_bytes()).expect("writes");
    // Neither is in anybody's way.
    assert_eq!(served.run(&adds(1)).status, 200);
    let answered = heard(body);
    assert_eq!(answered.status, 408, "{answered:?}");
    assert!(
        answered.body.contains(&format!("{} s", SLOW.as_secs())),
        "{answered:?}"
    );
    assert_ne!(heard(head).status, 200);
    assert_eq!(served.run(&adds(1)).status, 200);
}

/// What stands for the status of a connection that was closed: of so many at a time only some are let in.
const CLOSED: u16 = 0;

/// The status of a text, where nobody may be let in.
fn asked_for(served: &Served) -> u16 {
    let body = json!({ "name": "own", "text": adds(8) }).to_string();
    let mut stream = served.connect();
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        served.path("api/run"),
        served.host(),
        body.len()
    );
    match stream.write_all(head.as_bytes()) {
        Ok(()) => heard(stream).status,
        Err(_) => CLOSED,
    }
}

#[test]
fn very_many_requests_at_once_start_no_more_workers_than_one_that_runs_and_one_that_waits() {
    let served = Served::start(place());
    assert_eq!(served.run(&adds(1)).status, 200);
    let process = served.child.id();
    let statuses = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..200)
            .map(|_| scope.spawn(|| asked_for(&served)))
            .collect();
        let mut most = 0;
        while asked.iter().any(|one| !one.is_finished()) {
            most = most.max(workers_of(process).len());
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(most <= 3, "{most} workers");
        asked
            .into_iter()
            .map(|one| one.join().expect("answered"))
            .collect::<Vec<_>>()
    });
    let count = |status: u16| statuses.iter().filter(|one| **one == status).count();
    assert!(count(200) >= WAITING.min(4), "{statuses:?}");
    assert_eq!(
        count(200) + count(503) + count(CLOSED),
        statuses.len(),
        "{statuses:?}"
    );
    assert!(cycles(&served.run(&adds(4))) > 0.0);
}

#[test]
fn a_worker_that_is_killed_leaves_the_server_answering() {
    let served = Served::start(place());
    assert_eq!(served.run(&adds(1)).status, 200);
    let process = served.child.id();
    wait_until("a worker waits", || !workers_of(process).is_empty());
    let workers = workers_of(process);
    for worker in &workers {
        let status = Command::new("kill")
            .args(["-KILL", &worker.to_string()])
            .status();
        assert!(status.expect("kill runs").success());
    }
    // The server has still to ask for how they ended.
    let is_dead = |worker: &u32| {
        let stat = fs::read_to_string(format!("/proc/{worker}/stat"));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    wait_until("they are dead", || workers.iter().all(is_dead));
    assert!(cycles(&served.run(&adds(4))) > 0.0);
}

#[test]
fn nobody_but_this_machine_reaches_it() {
    let served = Served::start(place());
    let sockets = fs::read_to_string("/proc/net/tcp").expect("a list of sockets");
    let port = format!(":{:04X}", served.port);
    const LISTENS: &str = "0A";
    let own = sockets
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own: Vec<String> = own
        .filter(|words| words.len() > 3 && words[3] == LISTENS && words[1].ends_with(&port))
        .map(|words| words[1].to_string())
        .collect();
    assert_eq!(own, [format!("0100007F{port}")]);
}

#[test]
fn an_interrupt_ends_it_with_130_and_leaves_no_process() {
    let mut served = Served::start(place());
    assert_eq!(served.run(&adds(1)).status, 200);
    let process = served.child.id();
    let workers = workers_of(process);
    let status = Command::new("kill")
        .args(["-INT", &process.to_string()])
        .status();
    assert!(status.expect("kill runs").success());
    assert_eq!(served.child.wait().expect("ends").code(), Some(130));
    let is_gone = |worker: &u32| !Path::new(&format!("/proc/{worker}")).exists();
    wait_until("no worker is left", || workers.iter().all(is_gone));
}
