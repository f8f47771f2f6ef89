//! Files that commands write: exports, saved jobs, new templates.
//!
//! Correct means: nothing that a run reads is written over, under a name stands the old text or the whole new one,
//! and what cannot be written is refused before anything runs.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use crate::common::{fresh, rows, run_in, template};
use dispatchlab::template::shipped;

#[test]
fn no_output_is_a_file_that_the_run_reads() {
    let place = fresh("inputs");
    let text = "body:\n nop\n";
    template(&place, "a", text);
    template(&place, "b", text);
    symlink("a.asm", place.join("link.json")).expect("links");
    symlink("link.json", place.join("far.json")).expect("links");
    std::fs::hard_link(place.join("a.asm"), place.join("hard.json")).expect("links");
    std::fs::create_dir_all(place.join("own/suites")).expect("folders");
    template(&place.join("own"), "mine", text);
    std::fs::write(
        place.join("own/suites/s.toml"),
        "title = \"s\"\n[[section]]\ntitle = \"t\"\nrows = [ { scenario = \"mine\" } ]\n",
    )
    .expect("writes");
    std::fs::write(place.join("met.txt"), "0 1 0\n").expect("writes");
    let run = run_in(
        &place,
        &[
            "run",
            "a.asm",
            "--quick",
            "--export-json",
            "r.json",
            "--save-job",
            "job.json",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let files = [
        "a.asm",
        "b.asm",
        "own/mine.asm",
        "own/suites/s.toml",
        "met.txt",
        "r.json",
        "job.json",
    ];
    let all = || files.map(|file| std::fs::read(place.join(file)).expect(file));
    let before = all();
    #[rustfmt::skip] // a table: one command line a line
    let refused: [&[&str]; 17] = [
        &["run", "a.asm", "--export-json", "a.asm"],
        &["run", "a.asm", "--export-json", "./a.asm"],
        &["run", "a.asm", "--export-csv", "link.json"],
        &["run", "a.asm", "--export-markdown", "far.json"],
        &["run", "a.asm", "--export-json", "hard.json"],
        &["run", "link.json", "--export-json", "a.asm"],
        &["run", "a", "--export-json", "a.asm"],
        &["run", "a.asm", "--save-job", "a.asm"],
        &["run", "b.asm", "a.asm", "--save-job", "hard.json"],
        &["run", "--job", "job.json", "--export-json", "job.json"],
        &["run", "--job", "job.json", "--save-job", "job.json"],
        &["run", "itab_call", "-p", "targets=2", "-p", "order=@met.txt", "--export-json", "met.txt"],
        &["run", "mine", "--templates", "own", "--export-json", "own/mine.asm"],
        &["run", "mine", "--templates", "own", "--export-json", "own/suites/s.toml"],
        &["compare", "a.asm", "r.json", "--export-json", "r.json"],
        &["sweep", "a.asm", "-P", "align=0,1", "--export-json", "a.asm"],
        &["ablate", "a.asm", "--export-json", "a.asm"],
    ];
    for arguments in refused {
        let run = run_in(&place, arguments);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (2, ""),
            "{arguments:?}: {}",
            run.stderr
        );
        // That one marks no part.
        let words = if arguments[0] == "ablate" {
            "marks no part"
        } else {
            "would be lost"
        };
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
        assert!(all() == before, "{arguments:?}");
    }
    // A template of that name in another folder is none of this run.
    std::fs::create_dir(place.join("other")).expect("a folder");
    let other = [
        "run",
        "a.asm",
        "--counters",
        "none",
        "--export-json",
        "other/a.asm",
    ];
    assert_eq!(run_in(&place, &other).code, 0);
}

#[test]
fn standard_input_is_no_output_either() {
    let place = fresh("stdin");
    let file = template(&place, "a", "body:\n nop\n");
    let output = crate::common::command(&place, &["run", "-", "--export-json", "a.asm"])
        .stdin(std::fs::File::open(&file).expect("opens"))
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        std::fs::read_to_string(&file).expect("there"),
        "body:\n nop\n"
    );
}

/// What a folder has, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder").flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    names
}

#[test]
fn a_full_disk_leaves_the_old_file_and_the_report_on_stdout() {
    let place = fresh("full");
    // As a disk that is full: no file may be longer than 4 KiB.
    let run = |export: &str| {
        let script = "ulimit -f 4; exec \"$0\" run tour --counters none --export-json \"$1\"";
        let arguments = ["-c", script, env!("CARGO_BIN_EXE_dispatchlab"), export];
        let output = std::process::Command::new("bash")
            .args(arguments)
            .current_dir(&place)
            .env("XDG_STATE_HOME", &place)
            .output()
            .expect("runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(output.stdout.starts_with(b"scenario"), "{said}");
        crate::common::unfolded(&said)
    };
    std::fs::write(place.join("old.json"), "old").expect("writes");
    assert!(run("old.json").contains("cannot write it"));
    assert!(run("new.json").contains("cannot write it"));
    assert_eq!(names(&place), ["old.json"]);
    assert_eq!(
        std::fs::read_to_string(place.join("old.json")).expect("there"),
        "old"
    );
    // A device that is full.
    let full = [
        "run",
        "inline",
        "--counters",
        "none",
        "--export-json",
        "/dev/full",
    ];
    let run = run_in(&place, &full);
    assert_eq!(run.code, 2);
    assert!(
        run.said().contains("the disk is full") && run.stdout.starts_with("scenario"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_replaced_file_keeps_its_mode_and_the_links_that_lead_to_it() {
    let place = fresh("mode");
    std::fs::create_dir(place.join("far")).expect("a folder");
    std::fs::write(place.join("far/real.json"), "old").expect("writes");
    let mode = std::fs::Permissions::from_mode(0o640);
    std::fs::set_permissions(place.join("far/real.json"), mode).expect("sets");
    symlink("far/real.json", place.join("x.json")).expect("links");
    symlink("far/new.json", place.join("y.json")).expect("links");
    for name in ["x.json", "y.json"] {
        let arguments = ["run", "inline", "--counters", "none", "--export-json", name];
        let run = run_in(&place, &arguments);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(place.join(name).is_symlink(), "{name}");
        let text = std::fs::read_to_string(place.join(name)).expect("written");
        assert!(
            serde_json::from_str::<serde_json::Value>(&text).is_ok(),
            "{name}"
        );
    }
    assert_eq!(names(&place.join("far")), ["new.json", "real.json"]);
    let known = std::fs::metadata(place.join("far/real.json")).expect("there");
    assert_eq!(known.mode() & 0o777, 0o640);
    // A pipe is written into.
    let output = std::process::Command::new("sh")
        .args([
            "-c",
            "\"$0\" run inline --counters none --export-csv /dev/stderr 2>&1 >/dev/null | cat",
            env!("CARGO_BIN_EXE_dispatchlab"),
        ])
        .output()
        .expect("runs");
    assert!(
        output.stdout.starts_with(b"scenario,"),
        "{:?}",
        output.stdout
    );
}

#[test]
fn exports_are_opened_before_and_written_after() {
    let place = fresh("exports");
    let old = place.join("old.csv");
    std::fs::write(&old, "old text\n".repeat(1000)).expect("writes");
    for (path, words) in [
        ("-", "stdout"),
        ("nowhere/x.csv", "no folder"),
        (".", "folder"),
    ] {
        let run = run_in(
            &place,
            &[
                "run",
                "inline",
                "--export-json",
                "new.json",
                "--export-csv",
                path,
            ],
        );
        assert_eq!(run.code, 2, "{path}: {}", run.stderr);
        assert!(
            run.said().contains(words) && run.stdout.is_empty(),
            "{path}: {}",
            run.stderr
        );
        assert!(
            !place.join("new.json").exists(),
            "{path}: nothing measured, nothing left"
        );
    }
    let same = ["run", "inline", "--export-json", "x", "--export-csv", "./x"];
    assert_eq!(run_in(&place, &same).code, 2);
    let all = [
        "run",
        "itab_call[order=random,targets=8]",
        "--quick",
        "--samples",
        "--export-csv",
        "old.csv",
        "--export-json",
        "new.json",
        "--export-markdown",
        "new.md",
    ];
    let run = run_in(&place, &all);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.starts_with("scenario"));
    let read = |name: &str| std::fs::read_to_string(place.join(name)).expect(name);
    assert!(read("old.csv").starts_with("scenario,") && !read("old.csv").contains("old text"));
    assert!(read("new.md").starts_with("| scenario | cycles |"));
    let document: serde_json::Value = serde_json::from_str(&read("new.json")).expect("JSON");
    let (_, row) = rows(&document)[0];
    let chunks = row["samples"]["chunks"].as_array().expect("samples");
    let dropped = chunks
        .iter()
        .filter(|chunk| {
            chunk["why"]
                .as_str()
                .is_some_and(|why| why.starts_with("beside"))
        })
        .count();
    // Where all of an image was disturbed, one of them may be far out besides.
    assert!(row["dropped_samples"].as_u64() >= Some(dropped as u64));
    let kept = chunks
        .iter()
        .filter(|chunk| chunk["placement"] == 0 && chunk["kept"] == true);
    let iterations =
        kept.count() as u64 * row["samples"]["iterations_per_chunk"].as_u64().expect("n");
    assert_eq!(row["iterations"].as_u64(), Some(iterations));
}

#[test]
fn a_new_template_runs_as_it_is_and_nothing_is_overwritten() {
    let place = fresh("new");
    let run = run_in(&place, &["new", "mine"]);
    assert_eq!(
        (run.code, run.stdout.as_str()),
        (0, "wrote mine.asm\nnext: dispatchlab run mine.asm\n")
    );
    let ran = run_in(
        &place,
        &[
            "run",
            "mine.asm",
            "-p",
            "targets=4",
            "-p",
            "order=cyclic",
            "--counters",
            "none",
        ],
    );
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let again = run_in(&place, &["new", "mine"]);
    assert_eq!(again.code, 2);
    assert!(
        again.said().contains("nothing was written"),
        "{}",
        again.stderr
    );
    std::fs::create_dir(place.join("asm_templates")).expect("a folder");
    let copied = run_in(&place, &["new", "switch", "--from", "type_switch"]);
    assert!(
        copied.stdout.contains("asm_templates/switch.asm"),
        "{}",
        copied.stdout
    );
    let text = std::fs::read_to_string(place.join("asm_templates/switch.asm")).expect("there");
    assert_eq!(
        Some(text.as_str()),
        shipped::text(shipped::TEMPLATES, "type_switch")
    );
    for (arguments, words) in [
        (&["new", "a/b"][..], "letters"),
        (&["new", "../b"], "letters"),
        (&["new", "b.asm"], "letters"),
        (&["new", ""], "letters"),
        (&["new", "tour"], "suite"),
        (&["new", "inline"], "--from inline"),
        (
            &["new", "b", "--from", "type_swich"],
            "did you mean `type_switch`",
        ),
        (&["new", "b", "--templates", "nowhere"], "nowhere"),
    ] {
        let run = run_in(&place, arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
    }
    let files = std::fs::read_dir(&place).expect("a folder").count();
    assert_eq!(files, 2, "mine.asm and asm_templates");
}

#[test]
fn paths_that_are_no_utf_8_are_read_written_and_told_with_escapes() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt as _;
    let place = fresh("bytes");
    let odd = |name: &[u8]| OsStr::from_bytes(name).to_os_string();
    let template = odd(b"t\xff 10%.asm");
    let text = ";! heap = \"pointer\"\n;! params = { targets = 2 }\n;! types = \"main.T{t}\"\n;! result = \"eax\"\n;! expect = \"type\"\nbody:\n mov eax, [rax]\n";
    std::fs::write(place.join(&template), text).expect("writes");
    std::fs::write(place.join(odd(b"met\xfe.txt")), "0 1\n").expect("writes");
    let run = |arguments: &[OsString]| {
        let output = crate::common::command(&place, &["run", "--counters", "none"])
            .args(arguments)
            .output()
            .expect("runs");
        let said = format!("{output:?}");
        assert_eq!(output.status.code(), Some(0), "{said}");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let (json, job) = (odd(b"e\xff.json"), odd(b"j\xff.json"));
    let all = [
        &template,
        OsStr::new("--export-json"),
        &json,
        OsStr::new("--save-job"),
        &job,
    ];
    let printed = run(&all.map(OsStr::to_os_string));
    assert!(printed.contains("t%FF 10% "), "{printed}");
    let exported = std::fs::read_to_string(place.join(&json)).expect("written");
    let document: serde_json::Value = serde_json::from_str(&exported).expect("JSON");
    let (name, row) = rows(&document)[0];
    assert_eq!(
        (name, &row["template_path"]),
        ("t%FF 10%", &"t%FF 10%.asm".into())
    );
    // The name that a report has finds the file again, and so does a job.
    assert!(run(&["t%FF 10%.asm".into()]).contains("t%FF 10%"));
    assert!(run(&["--job".into(), job]).contains("t%FF 10%"));
    let mut order = OsString::from("order=@");
    order.push(odd(b"met\xfe.txt"));
    assert!(run(&[template.clone(), "-p".into(), order]).contains("order=@met%25FE.txt"));
    // It is an input as any other.
    let output = crate::common::command(&place, &["run", "--export-json"])
        .args([&template, &template])
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        std::fs::read_to_string(place.join(&template)).expect("there"),
        text
    );
}

#[test]
fn two_paths_have_two_names_and_each_is_told_as_it_is_found_again() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let place = fresh("two_names");
    let folder = OsStr::from_bytes(b"d\xff");
    std::fs::create_dir(place.join(folder)).expect("a folder");
    for (name, number) in [(&b"a%FF.asm"[..], 1), (b"a\xff.asm", 2)] {
        let text =
            format!(";! result = \"eax\"\n;! expect = {number}\nbody:\n mov eax, {number}\n");
        let name = OsStr::from_bytes(name);
        std::fs::write(place.join(name), &text).expect("writes");
        std::fs::write(place.join(folder).join(name), &text).expect("writes");
    }
    let run = |arguments: &[&[u8]], code: i32| {
        let output = crate::common::command(&place, &[])
            .args(arguments.iter().map(|word| OsStr::from_bytes(word)))
            .output()
            .expect("runs");
        let said = crate::common::unfolded(&String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{said}");
        (String::from_utf8(output.stdout).expect("UTF-8"), said)
    };
    let none: [&[u8]; 3] = [b"--counters", b"none", b"--json"];
    let both = [&[&b"run"[..], b"a%FF.asm", b"a\xff.asm"][..], &none].concat();
    let document: serde_json::Value = serde_json::from_str(&run(&both, 0).0).expect("JSON");
    let names: Vec<&str> = rows(&document).iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["a%25FF", "a%FF"]);
    // Where the one is not there, its text is the other's name.
    std::fs::remove_file(place.join("a%FF.asm")).expect("removes");
    let (told, _) = run(&[b"run", b"a%FF.asm", b"--counters", b"none"], 0);
    assert!(told.contains("a%FF "), "{told}");
    let (listed, _) = run(&[b"list", b"FF", b"--templates", b"d\xff"], 0);
    for path in ["(d%FF/a%25FF.asm)", "(d%FF/a%FF.asm)"] {
        assert!(listed.contains(path), "{listed}");
    }
    let (_, said) = run(&[b"run", b"inline", b"--export-json", b"no\xff/e.json"], 2);
    assert!(
        said.contains("there is no folder no%FF; make it first"),
        "{said}"
    );
    let (pages, _) = run(&[b"man", b"m\xff"], 0);
    assert!(pages.starts_with("m%FF/dispatchlab"), "{pages}");
}

#[test]
fn no_output_is_the_file_that_the_run_prints_into() {
    let place = fresh("own_streams");
    for (export, to) in [
        ("printed", "> printed"),
        ("/dev/stdout", "> printed"),
        ("./printed", "2> printed"),
    ] {
        let script = format!("exec \"$0\" run inline --counters none --export-csv {export} {to}");
        let output = std::process::Command::new("bash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_dispatchlab")])
            .current_dir(&place)
            .env("XDG_STATE_HOME", &place)
            .output()
            .expect("runs");
        let printed = std::fs::read_to_string(place.join("printed")).expect("made");
        let said = String::from_utf8_lossy(&output.stderr) + &*printed;
        let said = crate::common::unfolded(&said);
        assert_eq!(output.status.code(), Some(2), "{script}: {said}");
        assert!(
            said.contains("this run prints into that file"),
            "{script}: {said}"
        );
    }
}

#[test]
fn of_several_exports_that_fail_each_is_named() {
    let place = fresh("several");
    let full = ["run", "inline", "--counters", "none"];
    std::os::unix::fs::symlink("/dev/full", place.join("other")).expect("links");
    let exports = ["--export-json", "/dev/full", "--export-csv", "other"];
    let run = run_in(&place, &[&full[..], &exports].concat());
    assert_eq!(run.code, 2);
    for option in ["--export-json /dev/full", "--export-csv other"] {
        let words = format!("`{option}`: cannot write it: the disk is full");
        assert!(run.said().contains(&words), "{}", run.stderr);
    }
    assert!(run.stdout.starts_with("scenario"), "{}", run.stdout);
}

#[test]
fn what_a_terminal_gets_is_escaped_and_what_a_file_gets_is_not() {
    let place = fresh("terminal");
    let name = "odd\u{9b}\u{202e}";
    template(
        &place,
        name,
        ";! title = \"red \\u001b[31m\"\nbody:\n nop\n",
    );
    let call = |export: &str, to: &str| {
        let program = env!("CARGO_BIN_EXE_dispatchlab");
        let line = format!("{program} run '{name}.asm' --counters none {export} {to}");
        let Ok(output) = std::process::Command::new("script")
            .args(["-qec", &line, "/dev/null"])
            .current_dir(&place)
            .env("XDG_STATE_HOME", &place)
            .env("TERM", "dumb")
            .stdin(std::process::Stdio::null())
            .output()
        else {
            return None;
        };
        assert!(output.status.success(), "{export}: {output:?}");
        Some(String::from_utf8(output.stdout).expect("UTF-8"))
    };
    let is_odd = |text: &str| text.contains(['\u{9b}', '\u{202e}']) || text.contains("\u{1b}[31m");
    for export in ["--export-json", "--export-csv", "--export-markdown"] {
        for to in ["/dev/tty", "/dev/stdout"] {
            // Not every machine has a terminal to give.
            let Some(shown) = call(export, to) else {
                return;
            };
            assert!(
                shown.contains("odd") && !is_odd(&shown),
                "{export} {to}: {shown:?}"
            );
        }
    }
    call("--export-csv", "file");
    let kept = std::fs::read_to_string(place.join("file")).expect("written");
    assert!(kept.contains(name), "{kept:?}");
}

#[test]
fn a_page_or_a_bundle_takes_no_place_of_what_is_none_or_what_is_read() {
    let place = fresh("pages");
    let page = place.join("man/dispatchlab-run.1");
    assert_eq!(run_in(&place, &["man", "man"]).code, 0);
    let own = std::fs::read_to_string(&page).expect("written");
    // An older one of another version.
    std::fs::write(
        &page,
        own.replace(env!("CARGO_PKG_VERSION"), "0.0.1") + "old",
    )
    .expect("writes");
    assert_eq!(run_in(&place, &["man", "man"]).code, 0);
    assert_eq!(std::fs::read_to_string(&page).expect("written"), own);
    std::fs::remove_file(place.join("man/dispatchlab-list.1")).expect("removes");
    std::fs::write(&page, "mine").expect("writes");
    let run = run_in(&place, &["man", "man"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(
        run.said()
            .contains("`man man/dispatchlab-run.1`: what is there is no page of this program"),
        "{}",
        run.stderr
    );
    assert_eq!(std::fs::read_to_string(&page).expect("there"), "mine");
    assert!(!place.join("man/dispatchlab-list.1").exists());
    // What `doctor` remembers is what it reads.
    let state = place.join("dispatchlab");
    std::fs::create_dir(&state).expect("a folder");
    std::fs::write(state.join("doctor.json"), "{}").expect("writes");
    let output = crate::common::command(&place, &["doctor", "--report", "dispatchlab/doctor.json"])
        .env("XDG_STATE_HOME", &place)
        .output()
        .expect("runs");
    let said = crate::common::unfolded(&String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("this run reads that file, and it would be lost"),
        "{said}"
    );
}
