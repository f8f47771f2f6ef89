//! What a row takes: no longer than it may, and never in silence.
//!
//! Correct means: what does not fit is cut, and the row says so, or it is refused with what it would take.

use std::process::Stdio;

use crate::common::{command, fresh, json, rows, run_in, template, unfolded};

/// A walk of 262,144 elements, each of so many rounds of a loop.
fn slow(rounds: u64) -> String {
    format!(
        ";! heap = \"pointer\"\n;! types = \"main.T{{t}}\"\n;! params = {{ targets = 4, order = \"random\" }}\n;! result = \"eax\"\n;! expect = \"type\"\nbody:\n mov ecx, {rounds}\n1: dec ecx\n jnz 1b\n mov eax, [rax]\n dec eax\n and eax, 3\n inc eax\n"
    )
}

#[test]
fn a_walk_that_takes_too_long_is_verified_in_part_and_says_so() {
    let place = fresh("cut");
    // Some 5 µs an element, so 1.4 s for all of them where nobody else runs.
    let file = template(&place, "slow", &slow(20_000));
    let run = |limit: &str| {
        let arguments = [
            "run",
            &file,
            "--counters",
            "none",
            "--placements",
            "1",
            "--max-row",
            limit,
        ];
        let (code, document) = json(&arguments);
        assert_eq!(code, 0, "{document:#}");
        let (_, row) = rows(&document)[0];
        assert_eq!(
            (&row["status"], &row["verified"]),
            (&"ok".into(), &true.into())
        );
        row["warnings"].to_string()
    };
    let cut = run("0.1");
    assert!(
        cut.contains("of the 262144 elements of its walk were verified one by one, in the 0.1 s"),
        "{cut}"
    );
    assert!(!run("600").contains("elements of its walk"));
}

#[test]
fn a_wrong_result_beyond_what_was_verified_is_found_by_the_sums_of_chunks() {
    let place = fresh("beyond");
    // Right for the first 2,000 iterations.
    let text = slow(20_000)
        .replace("body:", "setup:\n xor edx, edx\nbody:\n inc edx")
        .replace(
            " inc eax\n",
            " inc eax\n cmp edx, 2000\n adc eax, 0\n dec eax\n",
        );
    let file = template(&place, "later", &text);
    let arguments = [
        "run",
        &file,
        "--quick",
        "--placements",
        "1",
        "--max-row",
        "0.1",
    ];
    let (code, document) = json(&arguments);
    assert_eq!(code, 4, "{document:#}");
    assert_eq!(
        rows(&document)[0].1["status"],
        "wrong-result",
        "{document:#}"
    );
}

#[test]
fn a_row_that_cannot_be_timed_in_time_is_refused_with_what_it_would_take() {
    let place = fresh("refused");
    // 80 ms an iteration, and ten of them a turn at the least.
    let file = template(
        &place,
        "long",
        "body:\n mov ecx, 300000000\n1: dec ecx\n jnz 1b\n",
    );
    let arguments = [
        "run",
        &file,
        "inline",
        "--quick",
        "--placements",
        "1",
        "--max-row",
        "0.5",
    ];
    let (code, document) = json(&arguments);
    assert_eq!(code, 4, "{document:#}");
    let rows = rows(&document);
    assert_eq!(rows[0].1["status"], "timeout", "{document:#}");
    let message = rows[0].1["fault"]["message"].as_str().expect("a message");
    for words in [
        "it would take ",
        "because one iteration takes ",
        "--max-row S allows more",
    ] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(rows[1].1["status"], "ok");
    for wrong in ["0", "-1", "NaN", "86401"] {
        let run = run_in(&place, &["run", "inline", "--max-row", wrong]);
        assert_eq!(run.code, 2, "{wrong}");
        assert!(run.said().contains("--max-row"), "{}", run.stderr);
    }
}

#[test]
fn what_takes_long_has_a_line_every_ten_seconds() {
    let place = fresh("lines");
    template(&place, "slow", &slow(2_000_000));
    let run = |more: &[&str]| {
        let arguments = [
            "run",
            "slow.asm",
            "--counters",
            "none",
            "--placements",
            "1",
            "--max-row",
            "12",
        ];
        let output = command(&place, &[&arguments, more].concat())
            .stdin(Stdio::null())
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(0));
        unfolded(&String::from_utf8_lossy(&output.stderr))
    };
    std::thread::scope(|both| {
        let quiet = both.spawn(|| run(&["-q"]));
        let said = run(&[]);
        assert!(said.contains(" s: verifying slow, 0 of 1 done"), "{said}");
        assert_eq!(quiet.join().expect("runs"), "");
    });
}
