//! Times in which modelled functions of Go's runtime stand say so.

use crate::common::{self, dispatchlab, folder, json, rows, template};
use serde_json::Value;

/// The functions that a row names.
fn named(row: &Value) -> Vec<&str> {
    let pieces = row["modelled_runtime"].as_array().expect("a list");
    pieces
        .iter()
        .map(|one| one["function"].as_str().expect("a name"))
        .collect()
}

#[test]
fn a_row_names_the_modelled_functions_that_it_ran_and_no_others() {
    #[rustfmt::skip] // a table: one scenario a line
    let all: [(&str, &[&str]); 7] = [
        ("convert_value[go=1.10,kind=slice,to=iface]",  &["mallocgc"]),
        ("convert_scalar[go=1.27,value=small]",         &[]),
        ("convert_scalar[go=1.27,value=large]",         &["mallocgc"]),
        ("wrapper_call[receiver=nil,recover=true]",     &["panicwrap"]),
        ("wrapper_call",                                &[]),
        ("direct_call",                                 &[]),
        ("write_barrier[barrier=true]",                  &["gcWriteBarrier2"]),
    ];
    let mut arguments = vec!["run", "--quick", "--counters", "none"];
    arguments.extend(all.iter().map(|(scenario, _)| *scenario));
    let (_, document) = json(&arguments);
    for ((scenario, functions), (_, row)) in all.iter().zip(rows(&document)) {
        assert_eq!(named(row), *functions, "{scenario}: {row:#}");
    }
}

#[test]
fn what_only_a_later_iteration_may_run_is_named_as_such() {
    let folder = folder("modelled_later");
    let late = |number: u32| {
        let call = "mov eax, 24\n call \"runtime.mallocgc\"\n";
        format!(
            ";! clobbers = \"all\"\nbody: inc dword [\"n\"]\n cmp dword [\"n\"], {number}\n jb 1f\n {call}1:\ndata \"n\": dd 0\n"
        )
    };
    let run = |name: &str, text: &str| {
        let file = template(&folder, name, text);
        let (_, document) = json(&["run", &file, "--quick", "--counters", "none"]);
        rows(&document)[0].1["modelled_runtime"].clone()
    };
    let later = run("later", &late(2_000_000_000));
    assert_eq!(
        (&later[0]["function"], &later[0]["may"], &later[0]["calls"]),
        (&"mallocgc".into(), &true.into(), &0.0.into()),
        "{later:#}"
    );
    let soon = run("soon", &late(3));
    assert_eq!(soon[0]["may"], Value::Null, "{soon:#}");
    assert!(soon[0]["calls"].as_f64() > Some(0.9), "{soon:#}");
    let file = template(&folder, "later", &late(2_000_000_000));
    let run = dispatchlab(&["run", &file, "--quick"]);
    let said = common::unfolded(&run.stdout);
    let words = "mallocgc is modelled, and may have run behind the iterations that were counted; so this may be not the time that Go takes";
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_function_is_counted_by_the_call_and_said_beside_the_time() {
    let scenario = "convert_value[go=1.10,kind=slice,to=iface]";
    let (_, document) = json(&["run", scenario, "--quick", "--counters", "clock"]);
    let piece = &rows(&document)[0].1["modelled_runtime"][0];
    // Those of runtime/allocate.asm for the stack ABI, by hand: 12 and the return.
    assert_eq!(
        (&piece["instructions"], &piece["calls"]),
        (&13.0.into(), &1.0.into())
    );
    assert_eq!(piece["in_go"], "80 to 200");
    let run = dispatchlab(&["run", scenario, "--quick", "--counters", "clock"]);
    let said = common::unfolded(&run.stdout);
    let words = "mallocgc is modelled: 13 instructions for Go's 80 to 200; so this is not the time that Go takes";
    assert!(said.contains(&format!("* cycles, ns: {words}")), "{said}");
    let marked = run.stdout.lines().find(|line| line.contains('*'));
    let marks = marked.map(|line| line.matches('*').count());
    assert_eq!(marks, Some(2), "cycles and ns: {}", run.stdout);
}

#[test]
fn ratios_and_published_figures_carry_the_mark() {
    let folder = folder("modelled_runtime");
    let text = "body: mov eax, 24\n call \"runtime.mallocgc\"\n";
    let allocates = template(
        &folder,
        "allocates",
        &format!(";! clobbers = \"all\"\n{text}"),
    );
    let suite = folder.join("mine.toml");
    let figures = "[{ source = \"a book\", ns = 74.6 }]";
    let text = format!("rows = [{{ row = {allocates:?}, published = {figures} }}]\n");
    std::fs::write(&suite, text).expect("a suite is written");
    let suite = suite.to_str().expect("UTF-8");
    let plain = template(
        &folder,
        "plain",
        ";! clobbers = \"all\"\nbody: mov eax, 24\n",
    );
    let (_, document) = json(&["run", suite, "--quick", "--counters", "clock"]);
    let row = rows(&document)[0].1;
    assert_eq!(
        row["published"][0]["modelled_runtime"][0], "mallocgc",
        "{row:#}"
    );
    let run = dispatchlab(&["run", suite, "--quick", "--counters", "clock"]);
    assert!(
        common::unfolded(&run.stdout).contains("with a modelled mallocgc"),
        "{}",
        run.stdout
    );
    let (_, document) = json(&[
        "compare",
        &plain,
        &allocates,
        "--quick",
        "--counters",
        "clock",
    ]);
    let comparisons = document["comparisons"].as_array().expect("comparisons");
    for one in comparisons.iter().filter(|one| one["ratio"].is_number()) {
        let is_time = ["cycles", "ns"].contains(&one["metric"].as_str().unwrap_or_default());
        let says = one["why"]
            .to_string()
            .contains("mallocgc is modelled: 11 instructions");
        assert_eq!(says, is_time, "{one:#}");
    }
}

#[test]
fn what_only_some_iterations_allocate_is_said_to_be_of_a_part() {
    let folder = folder("rare_allocations");
    let call = "mov eax, 500\n call \"runtime.convT32\"\n";
    let once = format!(
        "inc dword [\"c\"]\n cmp dword [\"c\"], 1000\n jb 1f\n mov dword [\"c\"], 0\n {call}1: nop\n"
    );
    let late = format!("cmp dword [\"c\"], 300000\n jb 1f\n {call}1: inc dword [\"c\"]\n");
    let file = |name: &str, body: &str| {
        let text = format!(";! clobbers = \"all\"\nbody: {body}data \"c\": dd 0\n");
        template(&folder, name, &text)
    };
    let files = [file("each", call), file("once", &once), file("late", &late)];
    let arguments = [
        "run",
        &files[0],
        &files[1],
        &files[2],
        "--quick",
        "--counters",
        "none",
    ];
    let (_, document) = json(&arguments);
    let parts = rows(&document)
        .into_iter()
        .map(|(_, row)| row["metrics"]["allocs"]["stepped"].is_u64());
    assert_eq!(parts.collect::<Vec<_>>(), [false, true, true]);
    let told = common::unfolded(&dispatchlab(&arguments[..]).stdout);
    assert!(told.contains("iterations alone"), "{told}");
}

#[test]
fn a_function_of_the_templates_own_is_not_modelled() {
    let folder = folder("own_runtime");
    let text = ";! clobbers = \"all\"\nbody: mov eax, 24\n call \"runtime.mallocgc\"\nfunc \"runtime.mallocgc\":\n ret\n";
    let file = template(&folder, "own", text);
    let (_, document) = json(&["run", &file, "--quick", "--counters", "none"]);
    assert_eq!(named(rows(&document)[0].1), Vec::<&str>::new());
}
