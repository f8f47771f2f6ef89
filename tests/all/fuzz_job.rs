//! A second of mutations of real saved jobs: reading and linking them must not panic.
//!
//! Correct means: whatever stands in the file, [`file::read`] answers, and what it accepts can be
//! laid out and linked. The seed is printed by a failing assertion; a panic is the failure.

use std::time::{Duration, Instant};

use crate::common::{dispatchlab, folder};
use dispatchlab::job::file;
use dispatchlab::pipeline;
use dispatchlab::stats::random::SplitMix64;
use serde_json::Value;

const TIME: Duration = Duration::from_secs(1);

fn seeds() -> Vec<String> {
    let path = folder("fuzz_job").join("seed.json");
    let path = path.to_str().expect("UTF-8");
    let sets: [&[&str]; 3] = [
        &[
            "itab_call[targets=2]",
            "inline",
            "wrapper_call[receiver=nil,recover=true]",
        ],
        &["wrapper_call", "-p", "go=1.10"],
        &["tests/fixtures/contract_sample.asm", "--placements", "1"],
    ];
    let save = |names: &&[&str]| {
        let fixed = ["run", "--counters", "none", "--save-job", path];
        let run = dispatchlab(&[&fixed[..], names].concat());
        assert_eq!(run.code, 0, "{}", run.stderr);
        std::fs::read_to_string(path).expect("a job")
    };
    sets.iter().map(save).collect()
}

/// Every value inside a document, by a path of steps.
fn places(value: &Value, here: &mut Vec<usize>, all: &mut Vec<Vec<usize>>) {
    all.push(here.clone());
    let children: Vec<&Value> = match value {
        Value::Array(list) => list.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    };
    for (at, child) in children.into_iter().enumerate() {
        here.push(at);
        places(child, here, all);
        here.pop();
    }
}

fn at<'a>(mut value: &'a mut Value, path: &[usize]) -> &'a mut Value {
    for &step in path {
        value = match value {
            Value::Array(list) => &mut list[step],
            Value::Object(fields) => fields.values_mut().nth(step).expect("there"),
            other => panic!("{other} has no inside"),
        };
    }
    value
}

/// Changes a value where it stays plausible: the checks behind the types are the aim.
fn change(value: &mut Value, random: &mut SplitMix64) {
    const NUMBERS: [i64; 12] = [
        0,
        1,
        -1,
        2,
        3,
        7,
        64,
        255,
        65_535,
        65_536,
        u32::MAX as i64,
        i64::MAX,
    ];
    const TEXTS: [&str; 10] = [
        "",
        "body",
        "setup",
        "func",
        "data",
        "rel32",
        "abs64",
        "iface",
        "main.(*T).Id",
        "cc",
    ];
    match value {
        Value::Number(number) => {
            let old = number.as_i64().unwrap_or(0);
            let near = [
                old.wrapping_add(1),
                old.wrapping_sub(1),
                old.wrapping_mul(2),
            ];
            let choices = [&near[..], &NUMBERS].concat();
            *value = choices[random.below(choices.len() as u64) as usize].into();
        }
        Value::String(text) if random.below(2) == 0 && text.is_ascii() => {
            let cut = random.below(text.len() as u64 + 1) as usize;
            let half = text[..cut].to_string();
            *text = if random.below(2) == 0 {
                half
            } else {
                format!("{text}{half}")
            };
        }
        Value::String(text) => *text = TEXTS[random.below(10) as usize].into(),
        Value::Bool(flag) => *flag = !*flag,
        Value::Array(list) if !list.is_empty() => {
            let at = random.below(list.len() as u64) as usize;
            match random.below(3) {
                0 => drop(list.remove(at)),
                1 => list.push(list[at].clone()),
                _ => list.clear(),
            }
        }
        Value::Object(fields) if random.below(8) == 0 => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            if !keys.is_empty() {
                fields.remove(&keys[random.below(keys.len() as u64) as usize]);
            }
        }
        _ => *value = Value::Null,
    }
}

/// Flips, cuts and repeats bytes, as a broken disk would.
fn damage(text: &str, random: &mut SplitMix64) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len() as u64) as usize;
        match random.below(3) {
            0 => bytes[at] = random.below(128) as u8,
            1 => bytes.truncate(at.max(1)),
            _ => bytes.insert(at, b"[]{}\",:0-"[random.below(9) as usize]),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn no_saved_job_makes_reading_or_linking_panic() {
    let seeds = seeds();
    let parsed: Vec<Value> = seeds
        .iter()
        .map(|text| serde_json::from_str(text).expect("JSON"))
        .collect();
    for text in &seeds {
        let job = file::read(text).expect("as it was written");
        assert_eq!(&job.write().expect("writes"), text, "read back to the byte");
    }
    let mut random = SplitMix64::new(20_261_121);
    let (mut read, mut linked) = (0, 0);
    let started = Instant::now();
    while started.elapsed() < TIME {
        let which = random.below(seeds.len() as u64) as usize;
        let text = if random.below(4) == 0 {
            damage(&seeds[which], &mut random)
        } else {
            let mut document = parsed[which].clone();
            let mut all = Vec::new();
            places(&document, &mut Vec::new(), &mut all);
            for _ in 0..=random.below(2) {
                // An earlier change may have taken the place away; then the first one serves.
                let path = &all[random.below(all.len() as u64) as usize];
                let is_there = exists(&document, path);
                change(
                    at(&mut document, if is_there { path } else { &[] }),
                    &mut random,
                );
            }
            document.to_string()
        };
        if let Ok(job) = file::read(&text) {
            read += 1;
            linked += pipeline::saved(&job)
                .iter()
                .filter(|task| task.prepared.is_ok())
                .count();
        }
    }
    assert!(
        read >= 5 && linked >= 5,
        "the mutations reach the linker: {read} read, {linked} linked"
    );
}

fn exists(value: &Value, path: &[usize]) -> bool {
    let Some((&step, rest)) = path.split_first() else {
        return true;
    };
    match value {
        Value::Array(list) => list.get(step).is_some_and(|child| exists(child, rest)),
        Value::Object(fields) => fields
            .values()
            .nth(step)
            .is_some_and(|child| exists(child, rest)),
        _ => false,
    }
}
