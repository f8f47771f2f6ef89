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
    // Right for its first iterations: more than are verified in that time, and fewer than are timed in it, for which a
    // processor that others use as well needs a smaller number.
    let found = [2000, 500, 100].map(|right| {
        let text = slow(20_000)
            .replace("body:", "setup:\n xor edx, edx\nbody:\n inc edx")
            .replace(
                " inc eax\n",
                &format!(" inc eax\n cmp edx, {right}\n adc eax, 0\n dec eax\n"),
            );
        let file = template(&place, &format!("later{right}"), &text);
        let run = [
            "run",
            &file,
            "--quick",
            "--placements",
            "1",
            "--max-row",
            "0.1",
        ];
        let (code, document) = json(&run);
        (code, rows(&document)[0].1["status"].clone())
    });
    assert!(found.contains(&(4, "wrong-result".into())), "{found:?}");
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
    // Where nothing is timed, each placement is entered once all the same.
    let run = |limit: &str| {
        let arguments = [
            "run",
            &file,
            "--counters",
            "none",
            "--placements",
            "2",
            "--max-row",
            limit,
        ];
        json(&arguments)
    };
    let (code, document) = run("0.1");
    assert_eq!(code, 4, "{document:#}");
    let row = &document["rows"][0];
    assert_eq!(row["status"], "timeout", "{document:#}");
    assert!(
        row["fault"]["message"]
            .to_string()
            .contains("it would take ")
    );
    let (code, document) = run("600");
    assert_eq!(code, 0, "{document:#}");
    for wrong in ["0", "-1", "NaN", "86401"] {
        let run = run_in(&place, &["run", "inline", "--max-row", wrong]);
        assert_eq!(run.code, 2, "{wrong}");
        assert!(run.said().contains("--max-row"), "{}", run.stderr);
    }
}

#[test]
fn a_row_that_gets_much_slower_while_it_is_timed_has_its_bound_all_the_same() {
    let place = fresh("slowed");
    // From its 300,000th iteration on one takes some 8 µs, so that a chunk takes a quarter of a second.
    let text = "setup:\n xor edx, edx\nbody:\n inc edx\n cmp edx, 300000\n jb 2f\n mov ecx, 30000\n1: dec ecx\n jnz 1b\n2:\n";
    let file = template(&place, "slowed", text);
    let arguments = [
        "run",
        &file,
        "inline",
        "--placements",
        "1",
        "--time",
        "10",
        "--max-row",
        "0.2",
    ];
    let (code, document) = json(&arguments);
    assert_eq!(code, 4, "{document:#}");
    let rows = rows(&document);
    assert_eq!(rows[0].1["status"], "timeout", "{document:#}");
    let message = rows[0].1["fault"]["message"].to_string();
    for words in [
        "it got slower than its first iterations were",
        "a row may take 200 ms besides what --time asks for",
    ] {
        assert!(message.contains(words), "{message}");
    }
    assert_eq!(rows[1].1["status"], "ok");
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

#[test]
fn what_is_at_work_before_a_worker_is_said_as_well() {
    let place = fresh("lines_before");
    let text = "{% for i in range(100000) %}{% set x = range(100000)|sort %}{% endfor %}";
    for name in ["one", "two"] {
        template(
            &place,
            name,
            &format!(";! expand = true\nbody:\n{text}\n nop\n"),
        );
    }
    // Each expansion is cut off after six seconds of the processor, or twelve.
    let run = run_in(&place, &["run", "one.asm", "two.asm", "--counters", "none"]);
    assert_eq!(run.code, 3, "{}", run.stdout);
    assert!(run.said().contains(" s: preparing "), "{}", run.stderr);
}
