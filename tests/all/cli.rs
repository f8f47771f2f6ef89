//! The outside: commands, exit codes, JSON, as the contract has them.

use crate::common::{self, dispatchlab, folder, json, rows, template, value};

#[test]
fn the_sample_template_runs_as_printed() {
    let (code, document) = json(&[
        "run",
        "tests/fixtures/contract_sample.asm",
        "--quick",
        "-p",
        "targets=4",
        "-p",
        "order=cyclic",
        "--counters",
        "clock",
    ]);
    assert_eq!(code, 0, "{document:#}");
    let (name, row) = rows(&document)[0];
    assert_eq!(
        name,
        "tests/fixtures/contract_sample[order=cyclic,targets=4]"
    );
    assert_eq!(row["status"], "ok");
    assert_eq!(row["verified"], true);
    assert_eq!(value(row, "instructions"), 6.0);
    assert_eq!(row["checksum"]["expected"], row["checksum"]["actual"]);
    // Of two; one that was disturbed throughout does not count.
    let placements = row["layout"]["placements"].as_u64();
    assert!(matches!(placements, Some(1 | 2)), "{placements:?}");
    assert!(row["iterations"].as_u64() > Some(1000));
}

#[test]
fn a_document_has_the_fields_of_the_contract() {
    let (_, document) = json(&["run", "itab_call[order=random,targets=8]"]);
    assert_eq!(document["schema"], 1);
    let provenance = &document["provenance"];
    for field in [
        "tool",
        "cpu",
        "family",
        "model",
        "kernel",
        "pinned_cpu",
        "tsc_hz",
        "core_hz",
        "seed",
        "date",
    ] {
        assert!(!provenance[field].is_null(), "{field}: {provenance:#}");
    }
    assert_eq!(provenance["sources"].as_array().map(Vec::len), Some(5));
    let (name, row) = rows(&document)[0];
    assert_eq!(name, "itab_call[order=random,targets=8]");
    assert_eq!(row["params"]["targets"], 8);
    assert_eq!(row["template"], "itab_call");
    assert_eq!(row["template_sha256"].as_str().map(str::len), Some(64));
    for metric in ["ns", "cycles"] {
        let metric = &row["metrics"][metric];
        let [low, value, high] = ["low", "value", "high"].map(|field| metric[field].as_f64());
        let value = value.expect("a number");
        // Where a busy machine leaves too few turns there is no interval.
        assert!(low.is_none_or(|low| low <= value), "{metric:#}");
        assert!(high.is_none_or(|high| value <= high), "{metric:#}");
    }
    assert!(row["baseline"]["cycles"]["value"].as_f64() > Some(0.5));
}

#[test]
fn usage_errors_exit_with_2_and_say_what_there_is() {
    for (arguments, words) in [
        (vec!["run", "itab_cal"], "itab_call"),
        (vec!["run", "itab_call", "-p", "target=3"], "targets"),
        (vec!["run", "itab_call[targets=0]"], "targets"),
        (vec!["run", "itab_call", "-p", "order=backwards"], "cyclic"),
        (vec!["run", "itab_call", "-p", "targets"], "KEY=VALUE"),
        (vec!["run", "itab_call", "--cpu", "4095"], "--cpu"),
        (vec!["run", "itab_call", "--time", "0"], "--time"),
        (
            vec!["run", "itab_call", "--placements", "9"],
            "--placements",
        ),
        (vec!["run", "no/such/file.asm"], "file.asm"),
        (vec!["list", "zzz"], "zzz"),
    ] {
        let run = dispatchlab(&arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.stderr);
        assert!(run.said().contains(words), "{arguments:?}: {}", run.stderr);
        assert_eq!(
            run.stdout, "",
            "{arguments:?}: nothing but results on stdout"
        );
    }
}

#[test]
fn a_wrong_line_is_shown_with_its_column_and_exits_with_3() {
    let folder = folder("wrong_line");
    let file = template(&folder, "typo", "body:\n mov rax, 1\n movv rcx, rax\n");
    for command in ["check", "show", "run"] {
        let run = dispatchlab(&[command, &file]);
        assert_eq!(run.code, 3, "{command}: {}", run.stderr);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains("typo.asm:3"), "{command}: {said}");
        assert!(said.contains("movv"), "{command}: {said}");
    }
    let (code, document) = json(&["check", &file]);
    assert_eq!(code, 3);
    let diagnostic = &document["files"][0]["diagnostics"][0];
    assert_eq!(
        (diagnostic["line"].as_u64(), diagnostic["column"].as_u64()),
        (Some(3), Some(2))
    );
}

#[test]
fn what_nothing_defines_is_a_diagnostic_at_its_use() {
    let folder = folder("undefined");
    let text = "body:\n call \"main.f\"\nfunc \"main.g\":\n ret\n";
    let (code, document) = json(&["check", &template(&folder, "undefined", text)]);
    assert_eq!(code, 3);
    let diagnostic = &document["files"][0]["diagnostics"][0];
    assert_eq!(diagnostic["line"], 2);
    assert!(
        diagnostic["help"]
            .as_str()
            .is_some_and(|help| help.contains("main.g")),
        "{diagnostic:#}"
    );
    let missing = ";! heap = \"iface\"\n;! methods = [\"Id\"]\n;! result = \"eax\"\n;! expect = \"id\"\nbody:\n mov eax, [rbx]\n";
    let (_, document) = json(&["check", &template(&folder, "missing", missing)]);
    let diagnostic = &document["files"][0]["diagnostics"][0];
    assert_eq!(diagnostic["line"], 2, "{diagnostic:#}");
    assert!(
        diagnostic["message"]
            .as_str()
            .is_some_and(|message| message.contains("main.(*T).Id"))
    );
}

#[test]
fn bind_gives_a_symbol_another_name() {
    let folder = folder("bind");
    let text = ";! bind = { \"main.f\" = \"main.g\" }\n;! result = \"eax\"\n;! expect = 7\nbody:\n call \"main.f\"\nfunc \"main.g\":\n mov eax, 7\n ret\n";
    let (code, document) = json(&[
        "run",
        &template(&folder, "bind", text),
        "--counters",
        "none",
    ]);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(value(rows(&document)[0].1, "instructions"), 3.0);
}

#[test]
fn data_of_the_template_replace_the_models() {
    let folder = folder("replaced");
    let text = ";! heap = \"iface\"\n;! methods = [\"Id\"]\n;! result = \"eax\"\n;! expect = \"id\"\nbody:\n mov rcx, [rax + 24]\n mov rax, rbx\n call rcx\nfunc \"main.(*T).Id\":\n mov eax, 77\n ret\nfunc \"main.good\":\n mov eax, [rax]\n ret\ndata \"go.itab.main.T,main.I\":\n dq \"type.main.I\", \"type.main.T\"\n dd hash(\"main.T\"), 0\n dq \"main.good\"\n";
    let file = template(&folder, "replaced", text);
    let (code, document) = json(&["run", &file, "--counters", "none"]);
    assert_eq!(
        code, 0,
        "the call goes through the template's own itab: {document:#}"
    );
    let shown = dispatchlab(&["show", &file, "--heap"]).stdout;
    assert!(
        shown.contains("replaced by the template's own data"),
        "{shown}"
    );
    assert!(shown.contains("-> main.good"), "{shown}");
}

#[test]
fn one_bad_template_leaves_the_others_their_numbers() {
    let folder = folder("one_bad");
    let file = template(&folder, "bad", "body:\n nonsense\n");
    let (code, document) = json(&["run", "inline", &file, "direct_call", "--quick"]);
    assert_eq!(code, 3);
    let statuses: Vec<_> = rows(&document)
        .iter()
        .map(|(_, row)| row["status"].as_str().expect("a status"))
        .collect();
    assert_eq!(statuses, ["ok", "error", "ok"]);
    assert_eq!(rows(&document)[1].1["diagnostics"][0]["line"], 2);
}

#[test]
fn a_file_that_is_no_template_is_a_row_and_the_others_run() {
    let folder = common::fresh("no_templates");
    template(
        &folder,
        "header",
        ";! heap = \"ifcae\"\nbody:\n mov rax, rbx\n",
    );
    template(&folder, "empty", "");
    std::fs::write(folder.join("latin.asm"), b"; caf\xe9\nbody:\n nop\n").expect("writes");
    std::fs::create_dir(folder.join("folder.asm")).expect("a folder");
    template(&folder, "good", "body:\n nop\n");
    #[rustfmt::skip] // a table: one name a line, and words of its diagnostic
    let wrong = [
        ("header.asm[targets=2]", "heap"),
        ("empty.asm",             "no `body:`"),
        ("latin.asm",             "line 1, byte 6: 0xe9"),
        ("folder.asm",            "it is a folder"),
    ];
    for (name, words) in wrong {
        let arguments = ["run", name, "good.asm", "--counters", "none", "--json"];
        let run = common::run_in(&folder, &arguments);
        assert_eq!(
            (run.code, run.stderr.contains("error:")),
            (3, false),
            "{name}: {}",
            run.stderr
        );
        let document: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
        let [(bad, row), (good, other)] = rows(&document)[..] else {
            panic!("{name}: {document:#}");
        };
        assert_eq!(
            (bad, &row["status"], good, &other["status"]),
            (name, &"error".into(), "good", &"ok".into())
        );
        let message = row["diagnostics"][0]["message"]
            .as_str()
            .expect("a message");
        assert!(message.contains(words), "{name}: {message}");
        // Alone it is a row as well, in text too.
        let run = common::run_in(&folder, &["run", name, "--counters", "none"]);
        assert_eq!(run.code, 3, "{name}");
        assert!(
            common::unfolded(&run.stdout).contains(words),
            "{name}: {}",
            run.stdout
        );
        // And no file hides what is wrong with another.
        let run = common::run_in(
            &folder,
            &["check", name.split('[').next().unwrap_or(name), "empty.asm"],
        );
        assert_eq!(run.code, 3, "{name}");
        assert!(
            run.said().contains(words) && run.said().contains("no `body:`"),
            "{name}: {}",
            run.stderr
        );
    }
    // A name that there is not is no row: most likely it is mistyped.
    let run = common::run_in(&folder, &["run", "god.asm", "good.asm"]);
    assert_eq!((run.code, run.stdout.as_str()), (2, ""));
}

#[test]
fn a_template_in_the_working_directory_is_edited_and_run_again_without_a_rebuild() {
    let folder = folder("edited");
    let shipped = std::fs::read_to_string("asm_templates/inline.asm").expect("shipped");
    let directory = folder.to_str().expect("UTF-8");
    template(&folder, "inline", &shipped);
    let (_, before) = json(&[
        "run",
        "inline",
        "--templates",
        directory,
        "--counters",
        "none",
    ]);
    template(
        &folder,
        "inline",
        &shipped.replace("add  eax, 1", "nop\n add  eax, 1"),
    );
    let (_, after) = json(&[
        "run",
        "inline",
        "--templates",
        directory,
        "--counters",
        "none",
    ]);
    assert_eq!(
        value(rows(&before)[0].1, "instructions") + 1.0,
        value(rows(&after)[0].1, "instructions")
    );
    assert_ne!(
        rows(&before)[0].1["template_sha256"],
        rows(&after)[0].1["template_sha256"]
    );
    assert!(
        rows(&after)[0].1["template_path"]
            .as_str()
            .is_some_and(|path| path.ends_with("inline.asm"))
    );
}

#[test]
fn list_names_every_template_and_the_tour() {
    let run = dispatchlab(&["list"]);
    assert_eq!(run.code, 0);
    for name in [
        "inline",
        "direct_call",
        "wrapper_call",
        "itab_call",
        "type_switch",
        "suite tour",
    ] {
        assert!(run.stdout.contains(name), "{name}: {}", run.stdout);
    }
    let (_, document) = json(&["list", "itab"]);
    let names: Vec<_> = document["scenarios"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(
        names,
        ["itab_call", "itab_hash", "itab_pointer", "itab_wrapper"]
    );
}

#[test]
fn list_finds_by_what_is_shown_what_nothing_is_called() {
    let found = |question: &str| {
        let (code, document) = json(&["list", question]);
        assert_eq!(code, 0, "{question}");
        let all = document["scenarios"].as_array().expect("a list").clone();
        let names = all.iter().filter_map(|one| one["template"].as_str());
        names.map(String::from).collect::<Vec<String>>()
    };
    assert_eq!(found("devirtualises"), ["func_guard", "guard"]);
    assert_eq!(found("Scalar switches"), ["switch_scalar"]);
    let run = dispatchlab(&["list", "devirtualises backwards"]);
    assert_eq!(run.code, 2);
    assert!(run.said().contains("nor does its title"), "{}", run.stderr);
}

#[test]
fn doctor_answers_in_both_forms_and_stepping_is_exact() {
    let (code, document) = json(&["doctor", "--quick"]);
    assert!(code == 0 || code == 1);
    let checks = document["checks"].as_array().expect("checks");
    let named = |name: &str| {
        checks
            .iter()
            .find(|check| check["name"] == name)
            .expect(name)
    };
    assert_eq!(named("single-stepping")["ok"], true);
    for name in [
        "dependent add",
        "dependent imul",
        "dependent load from L1",
        "empty iteration without a walk",
        "n against 2n",
    ] {
        assert!(named(name)["value"].is_string());
    }
    assert_eq!(code == 1, checks.iter().any(|check| check["ok"] == false));
}

#[test]
fn scripted_readings_give_the_script_back() {
    let folder = folder("fake");
    let script = folder.join("script.json");
    let text = r#"{"tsc_hz": 2.0e9, "cycles_per_tick": 1.5, "cycles": {"inline": [4.0, 4.5, 5.0, 4.25, 2.0], "*": [8.0, 8.0, 8.0, 8.0, 2.0]}}"#;
    std::fs::write(&script, text).expect("writes");
    let source = format!("fake:{}", script.display());
    let (code, document) = json(&["run", "tour", "--counters", &source, "--time", "1"]);
    assert_eq!(code, 0);
    let close =
        |value: Option<f64>, wanted: f64| value.is_some_and(|value| (value - wanted).abs() < 0.002);
    let all = rows(&document);
    let (_, inline) = all
        .iter()
        .find(|(name, _)| *name == "inline")
        .expect("inline");
    assert!(
        close(inline["metrics"]["cycles"]["value"].as_f64(), 4.0),
        "{inline:#}"
    );
    assert!(
        close(inline["metrics"]["ns"]["value"].as_f64(), 4.0 / 3.0),
        "{inline:#}"
    );
    assert!(
        close(inline["layout"]["cycles_max"].as_f64(), 5.0),
        "{inline:#}"
    );
    assert!(
        close(inline["baseline"]["cycles"]["value"].as_f64(), 2.0),
        "{inline:#}"
    );
    assert_eq!(inline["metrics"]["cycles"]["source"], "fake");
}

#[test]
fn every_column_carries_its_basis() {
    let (_, document) = json(&["run", "inline", "--quick", "--counters", "clock"]);
    let (_, row) = rows(&document)[0];
    for (metric, basis) in [
        ("ns", "measured"),
        ("cycles", "measured"),
        ("instructions", "exact"),
        ("branches", "exact"),
        ("branch_misses", "unsupported"),
    ] {
        assert_eq!(row["metrics"][metric]["basis"], basis, "{metric}");
    }
    assert!(row["metrics"]["branch_misses"]["value"].is_null());
    assert!(row["metrics"]["branch_misses"]["why"].is_string());
    let tsc = document["provenance"]["tsc_hz"].as_f64().expect("a TSC");
    let core = document["provenance"]["core_hz"]
        .as_f64()
        .expect("a core clock");
    let (ns, cycles) = (value(row, "ns"), value(row, "cycles"));
    assert!(
        (cycles / ns * 1e9 / core - 1.0).abs() < 0.05,
        "cycles are core cycles: {cycles} {ns} {core} (TSC {tsc})"
    );
}

#[test]
fn a_wrong_file_in_the_folder_hides_no_other_from_the_list() {
    let folder = common::folder("list_with_errors");
    common::template(&folder, "good", ";! title = \"fine\"\nbody:\n nop\n");
    common::template(&folder, "wrong", ";! titel = \"typo\"\nbody:\n nop\n");
    std::fs::write(folder.join("latin.asm"), b"; caf\xe9\nbody:\n").expect("writes");
    let loops = folder.join("loop.asm");
    let _ = std::fs::remove_file(&loops);
    std::os::unix::fs::symlink(&loops, &loops).expect("links");
    let nowhere = folder.join("nowhere.asm");
    let _ = std::fs::remove_file(&nowhere);
    std::os::unix::fs::symlink("gone", &nowhere).expect("links");
    let pipe = folder.join("pipe.asm");
    let _ = std::fs::remove_file(&pipe);
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.expect("mkfifo runs").success());
    let path = folder.display().to_string();
    let run = dispatchlab(&["list", "--templates", &path]);
    assert_eq!(run.code, 3, "the header's error outweighs the other's");
    for words in [
        "cannot read it: it is a link to gone, which is not there",
        "cannot read it: it is no regular file, and is read only where it is named",
    ] {
        assert!(run.said().contains(words), "{words}: {}", run.stderr);
    }
    assert!(
        run.stdout.contains("good") && run.stdout.contains("itab_call"),
        "{}",
        run.stdout
    );
    assert!(
        run.said().contains("titel") && run.said().contains("0xe9"),
        "{}",
        run.stderr
    );
}

#[test]
fn the_version_names_the_build_and_its_features() {
    let run = dispatchlab(&["--version"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    let [version, build, features] = lines[..] else {
        panic!("{}", run.stdout)
    };
    assert_eq!(
        version,
        format!("dispatchlab {}", env!("CARGO_PKG_VERSION"))
    );
    let profile = if cfg!(debug_assertions) {
        "debug"
    } else {
        "release"
    };
    let begin = format!("build: {profile}, x86_64-unknown-linux-");
    assert!(
        build.starts_with(&begin) && build.contains(", commit "),
        "{build}"
    );
    // The tests have the features of the program that they run.
    let own: Vec<&str> = [
        ("view", cfg!(feature = "view")),
        ("web", cfg!(feature = "web")),
    ]
    .into_iter()
    .filter_map(|(name, is_in)| is_in.then_some(name))
    .collect();
    let own = if own.is_empty() {
        "none".to_string()
    } else {
        own.join(", ")
    };
    assert_eq!(features, format!("features: {own}"));
}
