//! Jobs saved and replayed: the same bytes, elsewhere, without a template.

use crate::common::{self, dispatchlab, folder, json, rows, template, unfolded, value};
use std::path::Path;
use std::process::{Command, Stdio};

/// Saves a job and returns its path and the report of the run that saved it.
fn saved(name: &str, arguments: &[&str]) -> (String, serde_json::Value) {
    let path = folder("jobs").join(format!("{name}.json"));
    let path = path.to_str().expect("UTF-8").to_string();
    let (code, document) = json(&[&["run", "--save-job", &path], arguments].concat());
    assert_eq!(code, 0, "{document:#}");
    (path, document)
}

/// Writes a changed copy of a job and replays it.
fn replay_changed(path: &str, change: impl Fn(&mut serde_json::Value)) -> common::Run {
    let text = std::fs::read_to_string(path).expect("a job");
    let mut job = serde_json::from_str(&text).expect("JSON");
    change(&mut job);
    replay_text(path, &job.to_string())
}

fn replay_text(path: &str, text: &str) -> common::Run {
    let name = std::thread::current().name().unwrap_or("job").to_string();
    let copy = format!("{path}.{name}");
    std::fs::write(&copy, text).expect("writes");
    dispatchlab(&["run", "--job", &copy, "--counters", "none"])
}

/// The rows without what depends on how long an iteration takes at the moment: how many are summed up at a time, and how long
/// a walk is.
fn unsummed(document: &serde_json::Value) -> Vec<serde_json::Value> {
    let mut rows = document["rows"].as_array().expect("rows").clone();
    for row in &mut rows {
        row["checksum"] = serde_json::Value::Null;
        if let Some(iterations) = row.pointer_mut("/listing/iterations") {
            *iterations = serde_json::Value::Null;
        }
    }
    rows
}

#[test]
fn a_job_replays_elsewhere_although_its_template_is_gone() {
    let place = folder("jobs_replay");
    let text = ";! title = \"gone\"\n;! heap = \"pointer\"\n;! params = { objects = 8 }\n;! result = \"eax\"\n;! expect = \"id\"\nbody:\n mov eax, [rax]\n";
    let file = template(&place, "gone", text);
    let (job, before) = saved(
        "gone",
        &[&file, "wrapper_call[receiver=nil]", "--counters", "none"],
    );
    std::fs::remove_file(&file).expect("removes");
    let output = Command::new(env!("CARGO_BIN_EXE_dispatchlab"))
        .args(["run", "--json", "--job", &job])
        .current_dir("/")
        .env("XDG_STATE_HOME", common::state_home("run"))
        .stdin(Stdio::null())
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(0));
    let after: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(unsummed(&before), unsummed(&after));
    assert_eq!(rows(&after)[0].1["template_path"], file);
    assert_eq!(
        rows(&after)[0].1["template_sha256"].as_str().map(str::len),
        Some(64)
    );
    assert_eq!(value(rows(&after)[0].1, "instructions"), 1.0);
}

#[test]
fn a_recording_is_replayed_from_the_job_although_its_file_is_gone() {
    let place = folder("jobs_recording");
    let file = place.join("met, by main.txt");
    std::fs::write(&file, "# types\n0 1 1 2\n1,1\n").expect("writes");
    let order = format!("order=@{}", file.display());
    let (job, before) = saved(
        "recording",
        &[
            "itab_call",
            "-p",
            "targets=3",
            "-p",
            &order,
            "--counters",
            "none",
        ],
    );
    std::fs::remove_file(&file).expect("removes");
    let (name, row) = rows(&before)[0];
    assert!(name.contains("met%2C%20by%20main.txt,targets=3]"), "{name}");
    assert_eq!(
        row["note"],
        "a recording of 6 visits to 3 types, 66.7 % of them to type 1; it starts over so soon that predictors learn it, \
         which a program's own order they may not: record 100000 visits or more"
    );
    assert_eq!(row["verified"], true);
    let (code, after) = json(&["run", "--job", &job]);
    assert_eq!(code, 0);
    assert_eq!(unsummed(&before), unsummed(&after));
    // Without its file, the name is an error that says which one is missing.
    let gone = dispatchlab(&["run", name]);
    assert_eq!(gone.code, 2);
    assert!(gone.said().contains("no such file"), "{}", gone.stderr);

    type Change = (&'static str, fn(&mut serde_json::Value));
    #[rustfmt::skip] // a table: what is wrong, one change a line
    let changes: [Change; 4] = [
        ("recorded",        |job| job["rows"][0]["job"]["recorded"] = serde_json::json!([0, 3])),
        ("recorded",        |job| job["rows"][0]["job"]["recorded"] = serde_json::json!([])),
        ("recorded",        |job| job["rows"][0]["job"]["recorded"] = vec![0; (1 << 20) + 1].into()),
        ("recorded",        |job| job["rows"][0]["job"]["settings"]["walk"]["order"] = "same".into()),
    ];
    for (words, change) in changes {
        let run = replay_changed(&job, change);
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{words}");
        assert!(run.said().contains(words), "{words}: {}", run.stderr);
    }
}

#[test]
fn work_and_align_of_a_job_are_those_of_its_scenario() {
    let (job, before) = saved(
        "work",
        &[
            "itab_call[align=5,order=hot:90,targets=4,work=6:dependent]",
            "--counters",
            "none",
        ],
    );
    let (_, after) = json(&["run", "--job", &job]);
    assert_eq!(before["rows"], after["rows"]);
    let saved = std::fs::read_to_string(&job).expect("a job");
    let saved: serde_json::Value = serde_json::from_str(&saved).expect("JSON");
    let row = &saved["rows"][0]["job"];
    assert_eq!(
        row["settings"]["work"],
        serde_json::json!({"count": 6, "is_dependent": true})
    );
    assert_eq!(
        (
            &row["settings"]["align"],
            &row["settings"]["walk"]["order"]["hot"]
        ),
        (&5.into(), &900_000.into())
    );
    type Change = (&'static str, fn(&mut serde_json::Value));
    #[rustfmt::skip] // a table: one change a line
    let changes: [Change; 4] = [
        ("work",   |job| job["rows"][0]["job"]["settings"]["work"]["count"] = 2000.into()),
        ("work",   |job| job["rows"][0]["job"]["settings"]["work"]["is_dependent"] = false.into()),
        ("align",  |job| job["rows"][0]["job"]["settings"]["align"] = 64.into()),
        ("hot",    |job| job["rows"][0]["job"]["settings"]["walk"]["order"]["hot"] = 2_000_000.into()),
    ];
    for (name, change) in changes {
        let run = replay_changed(&job, change);
        assert_eq!(run.code, 3, "{name}: {}{}", run.stdout, run.stderr);
    }
}

#[test]
fn a_fault_of_a_replayed_job_has_its_line_and_its_text() {
    let place = folder("jobs_fault");
    let file = template(&place, "trap", "body:\n nop\n ud2 ; here\n");
    let job = place.join("trap.json").to_str().expect("UTF-8").to_string();
    assert_eq!(dispatchlab(&["run", &file, "--save-job", &job]).code, 4);
    std::fs::remove_file(&file).expect("removes");
    let (code, document) = json(&["run", "--job", &job]);
    assert_eq!(code, 4);
    let fault = &rows(&document)[0].1["fault"];
    assert_eq!(
        (fault["line"].as_u64(), fault["text"].as_str()),
        (Some(3), Some("ud2"))
    );
}

#[test]
fn a_saved_job_has_the_plan_and_the_command_line_wins_over_it() {
    let (job, _) = saved(
        "plan",
        &[
            "inline",
            "--counters",
            "none",
            "--seed",
            "77",
            "--placements",
            "1",
        ],
    );
    let replay = |more: &[&str]| json(&[&["run", "--job", &job], more].concat()).1;
    assert_eq!(replay(&[])["provenance"]["seed"], 77);
    assert!(rows(&replay(&[]))[0].1["metrics"]["cycles"]["value"].is_null());
    assert_eq!(replay(&["--seed", "5"])["provenance"]["seed"], 5);
    let timed = replay(&["--counters", "clock", "--time", "1"]);
    assert_eq!(rows(&timed)[0].1["layout"]["placements"], 1);
}

#[test]
fn rows_that_do_not_assemble_are_left_out_with_a_warning() {
    let place = folder("jobs_bad");
    let bad = template(&place, "bad", "body:\n nonsense\n");
    let job = place.join("bad.json").to_str().expect("UTF-8").to_string();
    let run = dispatchlab(&[
        "run",
        &bad,
        "inline",
        "--save-job",
        &job,
        "--counters",
        "none",
    ]);
    assert_eq!(run.code, 3);
    assert!(
        run.said().contains("left out of the saved job"),
        "{}",
        run.stderr
    );
    let (code, document) = json(&["run", "--job", &job]);
    assert_eq!((code, rows(&document).len()), (0, 1));
    std::fs::remove_file(&job).expect("removes");
    let run = dispatchlab(&["run", &bad, "--save-job", &job]);
    assert!(run.said().contains("no job is saved"), "{}", run.stderr);
    assert!(!Path::new(&job).exists(), "an empty file is no job");
}

#[test]
fn bytes_that_this_version_would_not_assemble_run_and_say_so() {
    let (job, _) = saved("other_bytes", &["direct_call", "--counters", "none"]);
    // One byte nop behind the body's other instructions: still right, no longer the template's.
    let run = replay_changed(&job, |job| {
        let body = &mut job["rows"][0]["job"]["program"]["sections"][0];
        assert_eq!(body["kind"], "body");
        let bytes = body["bytes"].as_str().expect("hex").to_string() + "90";
        body["bytes"] = bytes.into();
    });
    assert_eq!(run.code, 0, "{}", run.stderr);
    let told = common::unfolded(&run.stdout);
    assert!(told.contains("the saved bytes were measured"), "{told}");
}

#[test]
fn what_is_no_job_is_refused_with_one_sentence() {
    let (job, _) = saved("refused", &["itab_call[targets=2]", "--counters", "none"]);
    let text = std::fs::read_to_string(&job).expect("a job");
    for (broken, words) in [
        (String::new(), "no saved job"),
        (text[..text.len() / 2].to_string(), "cut short"),
        ("{}".into(), "no saved job"),
        ("[1, 2]".into(), "no saved job"),
        ("body:\n nop\n".into(), "no saved job"),
        (text.replacen("\"schema\":5", "\"schema\":4", 1), "schema 4"),
        (
            text.replacen("\"templates\":", "\"tempaltes\":", 1),
            "templates",
        ),
    ] {
        let run = replay_text(&job, &broken);
        assert_eq!(run.code, 3, "{broken:.60}: {}", run.stderr);
        assert!(run.said().contains(words), "{broken:.60}: {}", run.stderr);
        assert_eq!(
            (run.stderr.matches("error:").count(), run.stdout.as_str()),
            (1, ""),
            "{}",
            run.stderr
        );
    }
}

/// The places of all objects in a document, of lists those in the first element, as pointers.
fn objects(value: &serde_json::Value, at: String, found: &mut Vec<String>) {
    if let Some(fields) = value.as_object() {
        found.push(at.clone());
        for (key, value) in fields {
            objects(value, format!("{at}/{key}"), found);
        }
    }
    if let Some(first) = value.get(0) {
        objects(first, format!("{at}/0"), found);
    }
}

#[test]
fn a_field_that_this_version_does_not_know_is_refused_wherever_it_stands() {
    let (job, _) = saved("known", &["itab_call", "--counters", "none"]);
    let text = std::fs::read_to_string(&job).expect("a job");
    let mut places = Vec::new();
    let document = serde_json::from_str(&text).expect("JSON");
    objects(&document, String::new(), &mut places);
    // Names of parameters are the template's own, and what a suite says stands under the row's name.
    places.retain(|place| !place.ends_with("/params") && place != "/said");
    assert!(places.len() > 12, "{places:?}");
    for place in places {
        let run = replay_changed(&job, |job| {
            job.pointer_mut(&place).expect("it is there")["swift"] = 1.into();
        });
        let said = run.said();
        assert_eq!(run.code, 3, "{place}: {said}");
        // One of several kinds has no second field at all.
        let is_named = said.contains("swift") || said.contains("expected value at");
        assert!(is_named, "{place}: {said}");
    }
}

#[test]
fn every_field_that_could_do_harm_is_checked() {
    let (job, _) = saved("checked", &["itab_call[targets=2]", "--counters", "none"]);
    type Change = (&'static str, fn(&mut serde_json::Value), &'static str);
    #[rustfmt::skip] // a table: one change a line
    let changes: [Change; 28] = [
        ("spacing 0",           |job| job["rows"][0]["job"]["settings"]["spacing"] = 0.into(),                          "rows[0].settings.spacing"),
        ("stride 0",            |job| job["rows"][0]["job"]["settings"]["walk"]["stride"] = 0.into(),                   "rows[0].settings.walk.stride"),
        ("unroll 0",            |job| job["rows"][0]["job"]["unroll"] = 0.into(),                           "rows[0].unroll"),
        ("unrolled receivers",  |job| job["rows"][0]["job"]["unroll"] = 2.into(),                           "rows[0].unroll"),
        ("register 16",         |job| job["rows"][0]["job"]["result"]["number"] = 16.into(),                "result.number"),
        ("rsp as result",       |job| job["rows"][0]["job"]["result"]["number"] = 4.into(),                 "result.number"),
        ("7 bits",              |job| job["rows"][0]["job"]["result"]["bits"] = 7.into(),                   "result.bits"),
        ("a type too many",     |job| job["rows"][0]["job"]["heap"]["objects"][0] = 2.into(),               "heap.objects"),
        ("no objects",          |job| job["rows"][0]["job"]["heap"]["objects"] = serde_json::json!([]),     "heap.objects"),
        ("three expected",      |job| job["rows"][0]["job"]["expected"] = serde_json::json!([1, 2, 3]),     "rows[0].expected"),
        ("numbers in registers",|job| { job["rows"][0]["job"]["clobbers"] = "some".into(); job["rows"][0]["job"]["heap"]["indexed"] = true.into() }, "heap.indexed"),
        ("two bodies",          |job| job["rows"][0]["job"]["program"]["sections"][1]["kind"] = "body".into(), "sections"),
        ("no body",             |job| job["rows"][0]["job"]["program"]["sections"][0]["kind"] = "func".into(), "sections"),
        ("a line 0",            |job| job["rows"][0]["job"]["program"]["sections"][0]["lines"][0]["line"] = 0.into(), "sections[0].lines"),
        ("a label outside",     |job| job["rows"][0]["job"]["program"]["sections"][0]["labels"] = serde_json::json!([{"name": "x", "offset": 4000}]), "sections[0].labels"),
        ("a fixup outside",     |job| job["rows"][0]["job"]["program"]["sections"][0]["fixups"] = serde_json::json!([{"offset": 4294967295u32, "end": 4, "kind": "abs64", "symbol": "x", "addend": 0, "line": 1, "column": 1}]), "fixups[0]"),
        ("odd hex",             |job| job["rows"][0]["job"]["program"]["sections"][0]["bytes"] = "abc".into(), "hex digits"),
        ("no placement",        |job| job["plan"]["placements"] = serde_json::json!([]),                    "plan.placements"),
        ("65 placements",       |job| job["plan"]["placements"] = vec![job["plan"]["placements"][0].clone(); 65].into(), "plan.placements"),
        ("placement 64",        |job| job["plan"]["placements"][0]["loop_head"] = 64.into(),                "plan.placements"),
        ("time 0",              |job| job["plan"]["time_ms"] = 0.into(),                                    "plan.time_ms"),
        ("no patience",         |job| job["plan"]["patience"] = 0.into(),                                   "plan.patience"),
        ("a run of a year",     |job| job["plan"]["run_ms"] = 3.2e10.into(),                                "plan.run_ms"),
        ("no steps",            |job| job["plan"]["step_budget"] = 0.into(),                                "plan.step_budget"),
        ("another scenario",    |job| job["rows"][0]["params"]["targets"] = 4.into(),                       "rows[0]"),
        ("another release",     |job| job["rows"][0]["job"]["heap"]["release"] = "2.1".into(),              "Go release"),
        ("another template",    |job| job["rows"][0]["template"] = 1.into(),                                "rows[0].template"),
        ("another text",        |job| job["templates"][0]["text"] = "body:\n nop\n".into(),                 "templates[0]"),
    ];
    for (name, change, place) in changes {
        let run = replay_changed(&job, change);
        assert_eq!(run.code, 3, "{name}: {}{}", run.stdout, run.stderr);
        assert!(run.said().contains(place), "{name}: {}", run.stderr);
        assert_eq!(
            (run.stderr.matches("error:").count(), run.stdout.as_str()),
            (1, ""),
            "{name}: {}",
            run.stderr
        );
    }
}

#[test]
fn a_symbol_that_nothing_defines_is_a_row_with_its_line() {
    let (job, _) = saved("undefined", &["direct_call", "--counters", "none"]);
    let run = replay_changed(&job, |job| {
        let fixup = &mut job["rows"][0]["job"]["program"]["sections"][0]["fixups"][0];
        assert!(fixup["symbol"].is_string());
        fixup["symbol"] = "main.nowhere".into();
    });
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert!(
        unfolded(&run.stdout).contains("nothing defines"),
        "{}{}",
        run.stdout,
        run.stderr
    );
}

#[test]
fn a_job_takes_neither_names_nor_parameters() {
    let (job, _) = saved("alone", &["inline", "--counters", "none"]);
    for more in [
        &["inline"][..],
        &["-p", "targets=2"],
        &["--templates", "asm_templates"],
    ] {
        let run = dispatchlab(&[&["run", "--job", &job], more].concat());
        assert_eq!(run.code, 2, "{more:?}");
        assert!(run.said().contains("--job"), "{more:?}: {}", run.stderr);
    }
    for path in ["no/such/job", "tests"] {
        let run = dispatchlab(&["run", "--job", path]);
        assert_eq!(
            (run.code, run.stderr.matches("error:").count()),
            (2, 1),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn no_command_but_run_with_job_runs_a_saved_job() {
    let (job, _) = saved("not_run", &["inline", "--counters", "none"]);
    for arguments in [
        &["compare", &job, "inline"][..],
        &["compare", "inline", &job],
        &["run", &job],
        &["show", &job],
        &["step", &job],
        &["sweep", &job, "-P", "align=0,1"],
        &["ablate", &job],
    ] {
        let run = dispatchlab(arguments);
        assert!(
            [2, 3].contains(&run.code),
            "{arguments:?}: {}{}",
            run.stdout,
            run.stderr
        );
        // The row that `run` makes of it says that it is no template.
        let is_row = arguments[0] == "run" && run.stdout.contains("error:");
        assert!(
            run.stdout.is_empty() || is_row,
            "{arguments:?}: {}",
            run.stdout
        );
    }
}

#[test]
fn a_job_of_many_objects_is_short_and_one_of_too_many_is_refused_before_any_is_made() {
    // Of eight types in turn, whose results differ: by the rule, and not each.
    let (path, _) = saved(
        "turns",
        &["itab_call[objects=65536,targets=8]", "--counters", "none"],
    );
    let text = std::fs::read_to_string(&path).expect("a job");
    assert!(text.len() < 200_000, "{} bytes", text.len());
    let run = dispatchlab(&["run", "--job", &path, "--counters", "none"]);
    assert_eq!(run.code, 0, "{}", run.stderr);

    // Each row by itself may be so large, and both together not.
    let half = "itab_call[objects=33554433]";
    let target = folder("jobs").join("large.json");
    let target = target.to_str().expect("UTF-8");
    let both = [
        "run",
        half,
        "ptr_method[objects=33554432]",
        "--save-job",
        target,
    ];
    let run = dispatchlab(&both);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
    let why = "its rows have 67108865 objects together, and a saved job holds at most 67108864";
    let said = unfolded(&run.stderr);
    assert!(
        said.contains(why) && said.contains("as several jobs"),
        "{said}"
    );
    let run = replay_changed(&path, |job| {
        let row = job["rows"][0].clone();
        let rows = job["rows"].as_array_mut().expect("rows");
        rows.push(row);
        for (row, count) in rows.iter_mut().zip([33_554_433u64, 33_554_432]) {
            row["job"]["heap"]["objects"] = serde_json::json!([[0, 0, count]]);
        }
    });
    assert_eq!(run.code, 3);
    let said = unfolded(&run.stderr);
    assert!(
        said.contains(why) && said.contains("as several jobs"),
        "{said}"
    );
}
