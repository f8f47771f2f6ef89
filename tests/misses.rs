//! Branch misses without hardware counters: what latency in front of a branch tells of it.
//!
//! Correct means: where the truth is known the number is it; where there is none, the row says why;
//! and the code with latency in it costs a row nothing but this number.

mod common;

use std::sync::Arc;

use common::{dispatchlab, folder, json, rows, template, value};
use dispatchlab::injection::Injection;
use dispatchlab::pipeline;
use dispatchlab::scenario::Scenario;
use dispatchlab::template::Library;
use serde_json::Value;

/// One random target in k is the one before, and nothing else can be predicted.
#[test]
fn misses_of_random_targets_are_all_but_one_in_k() {
    const MARGIN: f64 = 0.12;
    let wrong = || -> Vec<String> {
        let targets = [2.0, 8.0];
        let names: Vec<String> = targets
            .iter()
            .map(|k| format!("itab_call[order=random,targets={k}]"))
            .collect();
        let mut arguments = vec!["run"];
        arguments.extend(names.iter().map(String::as_str));
        arguments.extend(["--placements", "1"]);
        let (code, document) = json(&arguments);
        assert_eq!(code, 0, "{document:#}");
        let rows = rows(&document).into_iter().zip(targets);
        let wrong = rows.filter_map(|((name, row), k)| {
            let metric = &row["metrics"]["branch_misses"];
            assert_ne!(metric["basis"], "exact", "{metric:#}");
            // A machine so busy that too few turns are left says so, and is no error of the method.
            let misses = metric["value"].as_f64().or_else(|| {
                assert!(
                    metric["why"]
                        .as_str()
                        .is_some_and(|why| why.contains("too few"))
                );
                None
            })?;
            let truth = (k - 1.0) / k;
            let is_near = (misses - truth).abs() < MARGIN;
            (!is_near).then(|| format!("{name}: {misses:.3}, not {truth:.3}"))
        });
        wrong.collect()
    };
    let first = wrong();
    assert!(
        first.is_empty() || wrong().is_empty(),
        "twice, at first: {first:?}"
    );
}

fn fake(name: &str, delayed: &str) -> String {
    let path = folder("misses").join(format!("{name}.json"));
    let text = format!(
        r#"{{"tsc_hz": 2.0e9, "cycles_per_tick": 1.5, "cycles": {{"*": [6.0]}}, "delayed": {delayed}}}"#
    );
    std::fs::write(&path, text).expect("writes");
    format!("fake:{}", path.display())
}

fn metric(document: &Value, at: usize) -> Value {
    rows(document)[at].1["metrics"]["branch_misses"].clone()
}

#[test]
fn a_row_has_the_slope_or_the_reason_why_there_is_none() {
    let counters = fake("slope", r#"{"*": [8.0, 12.5]}"#);
    let scenarios = [
        "run",
        "itab_call",
        "guard",
        "type_switch",
        "direct_call",
        "inline",
    ];
    let arguments = [&scenarios[..], &["--counters", &counters, "--time", "2"]].concat();
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    for at in 0..3 {
        let metric = metric(&document, at);
        let value = metric["value"].as_f64().expect("a value");
        assert!((value - 0.5).abs() < 1e-3, "{metric:#}");
        assert_eq!(
            (&metric["basis"], &metric["source"]),
            (&"inferred".into(), &"injection".into())
        );
    }
    for (at, why) in [(3, "direct"), (4, "no `dispatch`")] {
        let metric = metric(&document, at);
        assert_eq!(metric["basis"], "unsupported", "{metric:#}");
        assert!(metric["value"].is_null());
        assert!(
            metric["why"]
                .as_str()
                .is_some_and(|said| said.contains(why)),
            "{metric:#}"
        );
    }
    // The cycles are those of the images without latency.
    assert!((value(rows(&document)[0].1, "cycles") - 6.0).abs() < 1e-3);
    let text = dispatchlab(&arguments).stdout;
    assert!(
        text.contains("branch misses: inferred [injection]"),
        "{text}"
    );
}

#[test]
fn misses_of_one_type_are_warned_of() {
    let counters = fake("monomorphic", r#"{"*": [8.0, 12.5]}"#);
    let scenarios = ["run", "itab_call", "itab_call[targets=2]"];
    let (_, document) = json(&[&scenarios[..], &["--counters", &counters, "--time", "2"]].concat());
    let is_warned = |at: usize| {
        let warnings = rows(&document)[at].1["warnings"].to_string();
        warnings.contains("all receivers have one type")
    };
    assert!(is_warned(0) && !is_warned(1), "{document:#}");
}

#[test]
fn quick_infers_nothing_and_says_so() {
    let (_, document) = json(&["run", "itab_call", "--quick", "--counters", "clock"]);
    let metric = metric(&document, 0);
    assert_eq!(metric["basis"], "unsupported");
    assert!(
        metric["why"]
            .as_str()
            .is_some_and(|why| why.contains("--quick")),
        "{metric:#}"
    );
}

#[test]
fn code_that_reads_flags_behind_its_branch_keeps_its_numbers() {
    let counters = fake("flags", r#"{"*": [8.0, 12.5]}"#);
    let path = template(
        &folder("misses"),
        "flags",
        ";! result = \"eax\"\n;! expect = 1\n;! dispatch = \"site\"\nbody:\n lea rdx, [on]\n mov rcx, rdx\n \
         stc\nsite: jmp rcx\non: setc al\n movzx eax, al\n",
    );
    let (code, document) = json(&["run", &path, "--counters", &counters, "--time", "2"]);
    assert_eq!(code, 0, "{document:#}");
    let metric = metric(&document, 0);
    assert!(
        metric["why"]
            .as_str()
            .is_some_and(|why| why.contains("gives another result")),
        "{metric:#}"
    );
}

#[test]
fn a_dispatch_that_names_no_branch_is_an_error_at_its_line() {
    let path = template(
        &folder("misses"),
        "no_branch",
        ";! result = \"eax\"\n;! expect = 1\n;! dispatch = \"site\"\nbody:\nsite: mov eax, 1\n",
    );
    let run = dispatchlab(&["check", &path]);
    assert_eq!(run.code, 3);
    let said = run.stdout + &run.stderr;
    assert!(said.contains("no_branch.asm:5"), "{said}");
    assert!(
        said.contains("where `mov` stands, which is no branch"),
        "{said}"
    );
}

#[test]
fn every_shipped_template_has_latency_or_a_direct_branch_or_none() {
    let library = Library::embedded();
    let (mut delayed, mut direct, mut none) = (0, 0, 0);
    for name in library.names() {
        let template = Arc::new(library.load(&name).expect("loads"));
        for go in ["1.27", "1.10"] {
            let go = [("go".to_string(), go.to_string())];
            let scenario = Scenario::bind(Arc::clone(&template), &go);
            let Ok(scenario) = scenario else { continue };
            let prepared = pipeline::prepare(&scenario).expect("assembles");
            match prepared.row.injection {
                Injection::Delayed { section, copies } => {
                    delayed += 1;
                    let own = prepared.row.program.sections[section].bytes.len();
                    // Four multiplications of four bytes; a jump over them may grow.
                    for copy in &copies[..] {
                        assert!((16..=64).contains(&(copy.bytes.len() - own)), "{name}");
                    }
                }
                Injection::None(why) if why.contains("direct") => direct += 1,
                // A retpoline is there to have no other branch than this one.
                Injection::None(why) if name == "retpoline" => {
                    assert!(why.contains("`ret`"), "{name}: {why}");
                }
                Injection::None(why) => {
                    assert!(why.contains("no `dispatch`"), "{name}: {why}");
                    none += 1;
                }
            }
        }
    }
    assert!(
        delayed >= 7 && direct >= 8 && none >= 2,
        "{delayed} {direct} {none}"
    );
}

#[test]
fn where_inference_and_models_disagree_the_row_says_so_and_where_they_agree_it_does_not() {
    // A script of 0.5 and of 0.875 misses, for targets of which all models miss 0.875.
    let cases = [
        ("half", "[8.0, 12.5]", true),
        ("most", "[8.0, 15.875]", false),
    ];
    for (name, delayed, disagrees) in cases {
        let counters = fake(name, &format!(r#"{{"*": {delayed}}}"#));
        let arguments = [
            "run",
            "itab_call[order=random,targets=8]",
            "--counters",
            &counters,
        ];
        let (code, document) = json(&arguments);
        assert_eq!(code, 0, "{document:#}");
        let row = rows(&document)[0].1;
        let modelled = &row["modelled"];
        assert_eq!(modelled["trace"], "interpreter", "{modelled:#}");
        let sites = modelled["sites"].as_array().expect("sites");
        let call = sites.iter().find(|site| site["kind"] == "indirect-call");
        let miss = &call.expect("the call")["branch_misses"]["ittage"];
        assert_eq!(miss["basis"], "modelled");
        assert!((miss["value"].as_f64().expect("a number") - 0.875).abs() < 0.03);
        let said = modelled["disagreement"].as_str();
        assert_eq!(said.is_some(), disagrees, "{said:?}");
        assert!(
            said.is_none_or(|said| said.contains("0.50 branch misses are inferred and no model"))
        );
        let text = common::unfolded(&dispatchlab(&arguments).stdout);
        assert_eq!(text.contains("no model agrees"), disagrees, "{text}");
    }
    let (_, quick) = json(&["run", "itab_call", "--quick", "--counters", "clock"]);
    assert!(rows(&quick)[0].1.get("modelled").is_none());
}
