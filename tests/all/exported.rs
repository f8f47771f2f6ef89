//! Files that a run writes for other programs, in the programs that they are for.
//!
//! Correct means: a reader takes the file as it is, without a setting of ours, and has the numbers that stand in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::{fresh, run_in};

/// The real one, on `PATH` or where `go install` puts it.
fn benchstat() -> Option<PathBuf> {
    let answers = |program: &PathBuf| Command::new(program).arg("-h").output().is_ok();
    let asked = |what: &str| {
        let told = Command::new("go").args(["env", what]).output().ok()?;
        let told = String::from_utf8(told.stdout).ok()?;
        Some(PathBuf::from(told.trim())).filter(|path| path.is_absolute())
    };
    let installed = asked("GOBIN").or_else(|| Some(asked("GOPATH")?.join("bin")));
    let installed = installed.map(|folder| folder.join("benchstat"));
    let mut all = [PathBuf::from("benchstat")].into_iter().chain(installed);
    let found = all.find(answers);
    if found.is_none() {
        eprintln!(
            "skipped: there is no benchstat here (go install golang.org/x/perf/cmd/benchstat)"
        );
    }
    found
}

/// What benchstat makes of a file: the records of its CSV, and the lines of the file that it does not take. What else it says
/// is of a field of its own table: that samples are equal, or too few.
fn held(benchstat: &Path, file: &Path, arguments: &[&str]) -> (Vec<Vec<String>>, Vec<String>) {
    let output = Command::new(benchstat)
        .args(["-format", "csv"])
        .args(arguments)
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    // No field of ours has a comma or a quote in it.
    let records = text
        .lines()
        .map(|line| line.split(',').map(str::to_string).collect());
    let records = records.collect();
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    let place = format!("{}:", file.display());
    let of_lines = said.lines().filter(|line| line.starts_with(&place));
    (records, of_lines.map(str::to_string).collect())
}

/// The values of a unit in the lines of a template, in their order.
fn exported(text: &str, template: &str, unit: &str) -> Vec<f64> {
    let name = format!("BenchmarkDispatch/scenario={template} ");
    let own = text.lines().filter(|line| line.starts_with(&name));
    let value = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == unit)?;
        words[at - 1].parse().ok()
    };
    own.filter_map(value).collect()
}

/// As benchstat has it: of an even count the mean of the two in the middle.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len().is_multiple_of(2) {
        true => (sorted[middle - 1] + sorted[middle]) / 2.0,
        false => sorted[middle],
    }
}

#[test]
fn benchstat_holds_templates_against_each_other_with_the_medians_of_their_lines() {
    let Some(benchstat) = benchstat() else { return };
    let place = fresh("benchstat");
    let run = run_in(
        &place,
        &[
            "run",
            "direct_call",
            "itab_call",
            "--quick",
            "--export-gobench",
            "out.txt",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let file = place.join("out.txt");
    let text = std::fs::read_to_string(&file).expect("an export");
    let (records, said) = held(&benchstat, &file, &["-col", "/scenario"]);
    assert_eq!(said, [""; 0]);
    // It would have said so.
    let broken = place.join("broken.txt");
    std::fs::write(&broken, format!("{text}BenchmarkDispatch many 3 ns/op\n")).expect("writes");
    assert_eq!(held(&benchstat, &broken, &[]).1.len(), 1);
    for unit in ["ns/op", "cycles/op", "instrs/op", "branches/op"] {
        // A table begins with a line whose second field is its unit (benchstat writes times in seconds).
        let (shown, scale) = match unit {
            "ns/op" => ("sec/op", 1e9),
            unit => (unit, 1.0),
        };
        let head = records
            .iter()
            .position(|record| record.get(1).is_some_and(|field| field == shown));
        let head = head.unwrap_or_else(|| panic!("no table of {shown} in {records:#?}"));
        let names = &records[head - 1];
        let values = records[head + 1..]
            .iter()
            .find(|record| record[0].starts_with("Dispatch"));
        let values = values.expect("a line of the benchmark");
        for template in ["direct_call", "itab_call"] {
            let column = names
                .iter()
                .position(|name| name == template)
                .expect("a column");
            let found: f64 = values[column].parse().expect("a number");
            let own = exported(&text, template, unit);
            assert!(own.len() >= 4, "{template} {unit}: {own:?}");
            let wanted = median(&own);
            assert!(
                (found * scale / wanted - 1.0).abs() < 1e-3,
                "{template}: {found} {shown}, but {wanted} {unit}"
            );
        }
    }
}

#[test]
fn benchstat_holds_the_values_of_a_parameter_against_each_other() {
    let Some(benchstat) = benchstat() else { return };
    let place = fresh("benchstat-parameter");
    let run = run_in(
        &place,
        &[
            "sweep",
            "guard",
            "-P",
            "cases=2..8:x2",
            "--quick",
            "--export-gobench",
            "out.txt",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let (records, said) = held(&benchstat, &place.join("out.txt"), &["-col", "/cases"]);
    assert_eq!(said, [""; 0]);
    let is_heads = |record: &&Vec<String>| {
        let heads: Vec<&str> = record
            .iter()
            .map(String::as_str)
            .filter(|field| !field.is_empty())
            .collect();
        heads == ["2", "4", "8"]
    };
    assert!(
        records.iter().any(|record| is_heads(&record)),
        "{records:#?}"
    );
}

/// What a program that guesses finds in a table: the separator, whether a head stands above, and all records. A field that is
/// a number is one.
const GUESSED: &str = r"
import csv, json, sys
raw = open(sys.argv[1], 'rb').read()
text = raw.decode('utf-8')
guess = csv.Sniffer().sniff(text[:20000])
records = list(csv.reader(text.splitlines(keepends=True), guess))
def value(field):
    try: return float(field)
    except ValueError: return field
print(json.dumps({
    'separator': guess.delimiter, 'quote': guess.quotechar, 'mark': raw[:3] == b'\xef\xbb\xbf', 'ascii': raw.isascii(),
    'head': csv.Sniffer().has_header(text), 'records': [[value(field) for field in record] for record in records]}))
";

#[test]
fn a_spreadsheet_that_guesses_has_every_number_as_a_number() {
    let place = fresh("spreadsheet");
    // Rows with numbers, and one that fails with words from elsewhere.
    let run = run_in(
        &place,
        &[
            "run",
            "itab_call[order=random,targets=8]",
            "wrapper_call[receiver=nil]",
            "--quick",
            "--export-csv",
            "out.csv",
            "--export-json",
            "out.json",
        ],
    );
    assert!(!run.stderr.contains("error:"), "{}", run.stderr);
    let guessed = Command::new("python3")
        .args(["-c", GUESSED, "out.csv"])
        .current_dir(&place)
        .output();
    let Ok(guessed) = guessed else {
        eprintln!("skipped: there is no python3 here (package python3-minimal)");
        return;
    };
    assert!(guessed.status.success(), "{guessed:?}");
    let guessed: Value = serde_json::from_slice(&guessed.stdout).expect("JSON");
    assert_eq!(guessed["separator"], ",");
    assert_eq!(guessed["quote"], "\"");
    // A mark would be part of the first head for who does not know it, and without one who guesses needs none: all is ASCII.
    assert_eq!([&guessed["mark"], &guessed["ascii"]], [false, true]);
    let records: Vec<&Vec<Value>> = guessed["records"]
        .as_array()
        .expect("records")
        .iter()
        .map(|one| one.as_array().expect("fields"))
        .collect();
    let heads: Vec<&str> = records[0]
        .iter()
        .map(|head| head.as_str().expect("a word"))
        .collect();
    assert!(
        records.iter().all(|record| record.len() == heads.len()),
        "{records:#?}"
    );

    let report = std::fs::read_to_string(place.join("out.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let mut found = BTreeMap::new();
    for record in &records[1..] {
        let of = |head: &str| &record[heads.iter().position(|one| *one == head).expect(head)];
        for field in ["value", "low", "high"] {
            let field = of(field);
            assert!(field.is_number() || field == "", "{record:?}");
        }
        // What begins so is a formula to a spreadsheet.
        for field in record.iter().filter_map(Value::as_str) {
            assert!(!field.starts_with(['=', '+', '-', '@', '\t']), "{record:?}");
        }
        found.insert(
            [of("scenario").to_string(), of("metric").to_string()],
            of("value").clone(),
        );
    }
    let mut numbers = 0;
    for row in report["rows"].as_array().expect("rows") {
        for metric in ["cycles", "ns", "instructions", "branches", "branch_misses"] {
            if let Some(value) = row["metrics"][metric]["value"].as_f64() {
                let own = &found[&[row["scenario"].to_string(), format!("{metric:?}")]];
                assert_eq!(own.as_f64(), Some(value), "{metric} of {}", row["scenario"]);
                numbers += 1;
            }
        }
    }
    assert!(numbers >= 3, "{found:?}");
}

/// The cells of a sheet against the records of the table that it was made of: how many of them are numbers, and those that
/// became something else. A spreadsheet keeps 15 digits.
const OPENED: &str = r"
import csv, json, sys, xml.etree.ElementTree as tree
office, table, text = ('{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}' % name for name in ('office', 'table', 'text'))
numbers, wrong = 0, []
for name in sys.argv[1:]:
    records = list(csv.reader(open(name + '.csv', newline='')))
    sheet = []
    for row in tree.parse(name + '.fods').iter(table + 'table-row'):
        cells = []
        for cell in row.iter(table + 'table-cell'):
            words = '\n'.join(''.join(part.itertext()) for part in cell.findall(text + 'p'))
            own = (cell.get(office + 'value-type'), cell.get(office + 'value'), words, cell.get(table + 'formula'))
            cells += [own] * min(int(cell.get(table + 'number-columns-repeated', 1)), 99)
        sheet += [cells] * min(int(row.get(table + 'number-rows-repeated', 1)), 99)
    while sheet and not any(cell[2] for cell in sheet[-1]): sheet.pop()
    if len(sheet) != len(records): wrong.append('%s: %d lines of %d' % (name, len(sheet), len(records)))
    for line, (record, cells) in enumerate(zip(records, sheet)):
        if any(cell[2] for cell in cells[len(record):]): wrong.append('%s line %d is split' % (name, line))
        for head, field, (kind, value, words, formula) in zip(records[0], record, cells + [(None, None, '', None)] * 99):
            is_count = line > 0 and head in ('value', 'low', 'high', 'stepped', 'seed') and field != ''
            numbers += is_count
            is_same = abs(float(value or 'nan') - float(field)) <= 1e-14 * abs(float(field)) if is_count and kind == 'float' else words == field
            if formula or not is_same or kind not in (['float'] if is_count else ['string', None]):
                wrong.append('%s line %d, %s: %r is %r %r %r' % (name, line, head, field, kind, value or words, formula))
print(json.dumps({'numbers': numbers, 'wrong': wrong[:20]}))
";

/// LibreOffice's Calc; installed it takes 300 MB, so what checks a clean clone does not fetch it.
#[test]
fn a_spreadsheet_opens_every_export_with_its_numbers_as_numbers_and_its_words_as_words() {
    let missing = ["soffice", "python3"]
        .into_iter()
        .find(|program| Command::new(program).arg("--version").output().is_err());
    if let Some(missing) = missing {
        eprintln!("skipped: there is no {missing} here (packages libreoffice-calc, python3)");
        return;
    }
    let place = fresh("calc");
    // Names that a spreadsheet would take for a formula, a number, a date or a time if they stood alone.
    for name in ["=1+1", "-3+4", "@SUM(1)", "1e5", "1-2", "1:30"] {
        let text = ";! title = \"-1, \\\"=2\\\"\"\nbody:\n        mov eax, 1\n";
        std::fs::write(place.join(format!("{name}.asm")), text).expect("writes");
    }
    let commands: [(&str, &[&str]); 4] = [
        ("run", &["run", "tour"]),
        (
            "sweep",
            &["sweep", "itab_call", "direct_call", "-P", "targets=1..4:x2"],
        ),
        ("compare", &["compare", "ptr_method", "itab_call"]),
        (
            "names",
            &[
                "run",
                "=1+1.asm",
                "./-3+4.asm",
                "@SUM(1).asm",
                "1e5.asm",
                "1-2.asm",
                "1:30.asm",
            ],
        ),
    ];
    for (name, arguments) in commands {
        let file = format!("{name}.csv");
        let run = run_in(
            &place,
            &[arguments, &["--quick", "--export-csv", &file]].concat(),
        );
        assert!(!run.stderr.contains("error:"), "{name}: {}", run.stderr);
    }
    let files = commands.map(|(name, _)| format!("{name}.csv"));
    let profile = format!(
        "-env:UserInstallation=file://{}",
        place.join("profile").display()
    );
    let converted = Command::new("soffice")
        .args([&profile, "--headless", "--convert-to", "fods"])
        .args(&files)
        .current_dir(&place)
        .stdin(Stdio::null())
        .output()
        .expect("it starts");
    if !place.join("run.fods").exists() {
        eprintln!(
            "skipped: this soffice opens no tables (package libreoffice-calc): {converted:?}"
        );
        return;
    }
    let opened = Command::new("python3")
        .args(["-c", OPENED])
        .args(commands.map(|(name, _)| name))
        .current_dir(&place)
        .output()
        .expect("it starts");
    assert!(opened.status.success(), "{opened:?}");
    let opened: Value = serde_json::from_slice(&opened.stdout).expect("JSON");
    assert_eq!(opened["wrong"], serde_json::json!([]), "{opened:#}");
    assert!(opened["numbers"].as_u64() > Some(300), "{opened}");
}
