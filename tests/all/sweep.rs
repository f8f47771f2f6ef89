//! `sweep`, on scripted cycles: points, knees, break-evens, and what is refused.

use std::fs;
use std::path::PathBuf;

use crate::common::{dispatchlab, folder, json, rows, template, unfolded, value};
use serde_json::{Map, Value};

const HEADER: &str =
    ";! clobbers = \"all\"\n;! params = { n = { default = 1, min = 1, max = 64 }, m = [1, 2] }\n";

/// Two templates with a parameter, and a script that gives each name its cycles.
struct Field {
    folder: PathBuf,
    counters: String,
}

impl Field {
    fn new(name: &str, cycles: impl Fn(&str, u32) -> f64) -> Field {
        let folder = folder(name);
        let mut script = Map::new();
        for which in ["chain", "table"] {
            template(&folder, which, &format!("{HEADER}body:\n nop\n"));
            for n in 1..=64 {
                let params = if n == 1 {
                    String::new()
                } else {
                    format!("[n={n}]")
                };
                let name = format!("{}/{which}{params}", folder.display());
                let value = cycles(which, n);
                script.insert(name, serde_json::json!([value, value, value, value, 1.0]));
            }
        }
        script.insert("*".into(), serde_json::json!([9.0, 9.0, 9.0, 9.0, 1.0]));
        let script = serde_json::json!({"tsc_hz": 2e9, "cycles_per_tick": 1.5, "cycles": script});
        let path = folder.join("script.json");
        fs::write(&path, script.to_string()).expect("writes");
        let counters = format!("fake:{}", path.display());
        Field { folder, counters }
    }

    fn arguments(&self, names: &[&str], more: &[&str]) -> Vec<String> {
        let mut all = vec!["sweep".to_string()];
        let path = |name: &&str| {
            self.folder
                .join(format!("{name}.asm"))
                .display()
                .to_string()
        };
        all.extend(names.iter().map(path));
        all.extend(more.iter().map(|one| one.to_string()));
        all.extend(["--counters", &self.counters, "--time", "1"].map(String::from));
        all
    }
}

/// A chain costs a cycle a case; a table costs the same for all.
fn chain_and_table(which: &str, n: u32) -> f64 {
    if which == "chain" {
        2.0 + f64::from(n)
    } else {
        8.0
    }
}

#[test]
fn a_table_that_wins_from_seven_cases_on_is_said_to() {
    let field = Field::new("sweep_break_even", chain_and_table);
    let arguments = field.arguments(&["chain", "table"], &["-P", "n=2..10"]);
    let (code, document) = json(&arguments);
    assert_eq!(code, 0, "{document:#}");
    let sweep = &document["sweep"];
    assert_eq!(sweep["keys"], serde_json::json!(["n"]));
    assert_eq!(sweep["points"].as_array().map(Vec::len), Some(9));
    assert_eq!(sweep["break_evens"][0]["at"], "7");
    let text = sweep["break_evens"][0]["text"]
        .as_str()
        .expect("a sentence");
    assert!(
        text.contains("table.asm from n 7 on")
            || text.contains("chain.asm from n 7 on; nobody for sure at 6"),
        "{text}"
    );
    assert_eq!(rows(&document).len(), 18);
    let run = dispatchlab(&arguments);
    assert!(unfolded(&run.stdout).contains("from n 7"), "{}", run.stdout);
}

#[test]
fn where_one_always_wins_there_is_no_break_even() {
    let field = Field::new(
        "sweep_always",
        |which, _| if which == "chain" { 5.0 } else { 4.0 },
    );
    let (_, document) = json(&field.arguments(&["chain", "table"], &["-P", "n=1..4"]));
    let found = &document["sweep"]["break_evens"][0];
    assert!(found["at"].is_null(), "{found}");
    assert!(
        found["text"]
            .as_str()
            .expect("text")
            .contains("at every point"),
        "{found}"
    );
}

#[test]
fn who_wins_by_turns_has_no_single_break_even() {
    let field = Field::new("sweep_turns", |which, n| match which {
        "chain" => 5.0,
        _ => {
            if (3..=4).contains(&n) {
                4.0
            } else {
                6.0
            }
        }
    });
    let (_, document) = json(&field.arguments(&["chain", "table"], &["-P", "n=1..6"]));
    let found = &document["sweep"]["break_evens"][0];
    assert!(found["at"].is_null(), "{found}");
    let text = found["text"].as_str().expect("text");
    assert!(text.contains("no single break-even"), "{text}");
    assert!(
        text.contains("chain.asm wins at n 1 to 2, 5 to 6")
            && text.contains("table.asm wins at n 3 to 4"),
        "{text}"
    );
}

#[test]
fn a_knee_is_a_sentence_with_the_values_on_both_sides() {
    let field = Field::new("sweep_knee", |_, n| if n >= 8 { 21.0 } else { 5.0 });
    let (_, document) = json(&field.arguments(&["chain"], &["-P", "n=1..64:x2"]));
    let knees = document["sweep"]["knees"].as_array().expect("knees");
    assert_eq!(knees.len(), 1, "{knees:?}");
    assert_eq!(knees[0]["at"], 8.0);
    let text = knees[0]["text"].as_str().expect("text");
    assert!(
        text.contains("cycles rise from n 8 on: 5.00 at 4, 21.00 at 8"),
        "{text}"
    );
}

#[test]
fn a_straight_line_has_no_knee() {
    let field = Field::new("sweep_line", chain_and_table);
    let (_, document) = json(&field.arguments(&["chain"], &["-P", "n=1..12"]));
    assert_eq!(document["sweep"]["knees"], serde_json::json!([]));
    let cycles: Vec<f64> = rows(&document)
        .iter()
        .map(|(_, row)| value(row, "cycles"))
        .collect();
    assert!(
        cycles.windows(2).all(|pair| pair[1] > pair[0]),
        "{cycles:?}"
    );
}

#[test]
fn two_parameters_are_a_grid() {
    let field = Field::new("sweep_grid", chain_and_table);
    let arguments = field.arguments(&["chain"], &["-P", "n=2,4", "-P", "m=1,2"]);
    let (_, document) = json(&arguments);
    let points = document["sweep"]["points"].as_array().expect("points");
    let values: Vec<&Value> = points.iter().map(|point| &point["values"]).collect();
    let expected =
        [["2", "1"], ["2", "2"], ["4", "1"], ["4", "2"]].map(|pair| serde_json::json!(pair));
    assert_eq!(values, expected.iter().collect::<Vec<_>>());
    let run = dispatchlab(&arguments);
    assert!(
        unfolded(&run.stdout).contains("n down, m across"),
        "{}",
        run.stdout
    );
}

#[test]
fn a_point_that_faults_has_its_reason_and_the_others_their_numbers() {
    let folder = folder("sweep_fault");
    let text = format!(
        "{HEADER};! expand = true\nbody:\n{{% if n == 2 %}} ud2\n{{% else %}} nop\n{{% endif %}}\n"
    );
    let file = template(&folder, "fragile", &text);
    let run = dispatchlab(&[
        "sweep",
        &file,
        "-P",
        "n=1..3",
        "--quick",
        "--counters",
        "clock",
    ]);
    assert_eq!(run.code, 4, "{}", run.stderr);
    assert!(unfolded(&run.stdout).contains("SIGILL"), "{}", run.stdout);
    assert!(
        unfolded(&run.stdout).contains("fragile.asm:5"),
        "{}",
        run.stdout
    );
    let is_point = |line: &&str| line.starts_with(['1', '2', '3']) && line.contains("  ");
    assert_eq!(run.stdout.lines().filter(is_point).count(), 3);
}

#[test]
fn what_cannot_be_scanned_is_refused_before_anything_runs() {
    let field = Field::new("sweep_usage", chain_and_table);
    #[rustfmt::skip] // One refusal a row.
    let refusals: [(&[&str], &str); 12] = [
        (&[], "required"),
        (&["-P", "n"], "write KEY=1,2,4"),
        (&["-P", "n=5..1"], "backward"),
        (&["-P", "n=1..8:+0"], "never ends"),
        (&["-P", "n=1..20000"], "more than 10000"),
        (&["-P", "n=1..64", "-P", "spacing=16..256"], "15424 points"),
        (&["-P", "x=1..3"], "no parameter `x`"),
        (&["-P", "n=0..3"], "1 to 64"),
        (&["-P", "n=1..3", "-P", "n=4"], "scanned twice"),
        (&["-P", "n=1..3", "-p", "n=4"], "bound by -p"),
        (&["-P", "n=1,,2"], "missing between commas"),
        (&["-P", "n=1", "-P", "m=1", "-P", "spacing=16"], "one parameter or two"),
    ];
    for (more, words) in refusals {
        let run = dispatchlab(&field.arguments(&["chain"], more));
        assert_eq!(run.code, 2, "{more:?}: {}", run.stderr);
        assert!(run.said().contains(words), "{more:?}: {}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_saved_sweep_is_compared_by_its_points_and_not_by_a_row_that_is_there_several_times() {
    let place = folder("sweep_saved");
    let saved = place.join("sweep.json").display().to_string();
    #[rustfmt::skip] // what is swept, and how
    let swept = ["sweep", "itab_call", "direct_call", "-p", "order=random", "-P", "targets=1,2", "--quick", "--time", "1",
        "--export-json", &saved];
    assert_eq!(dispatchlab(&swept).code, 0);
    let against = |name: &str| dispatchlab(&["compare", &saved, name, "--quick", "--time", "1"]);
    let point = against("itab_call[order=random,targets=2]");
    assert_eq!(point.code, 0, "{}", point.stderr);
    let several = against("direct_call[order=random]");
    assert_eq!(several.code, 2);
    let said = unfolded(&several.stderr);
    assert!(
        said.contains("is there once for each point of a sweep"),
        "{said}"
    );
}
