//! What the branch predictors of this CPU learn, found out by running patterns.
//!
//! Correct means: nothing is known of any CPU beforehand; what is said follows from cycles that were
//! measured here and now; and where they do not tell, that is said.
//!
//! Each kind of branch visits eight targets in turn. Sorted visits change the target eight times in a
//! walk, so they are predicted; 262,144 random ones were learned by no core that was tried, so they
//! are missed seven times in eight. Any other pattern costs something between the two.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::report::Row;
use crate::scenario::{BindError, Recording, Scenario};
use crate::stats::Quantity;
use crate::stats::random::SplitMix64;
use crate::template::{Origin, Template};
use crate::text::diagnostic::Diagnostic;

/// Numbers of the short random walk, which is repeated. Zen 4 learns 16,384 of a random switch.
const SHORT: usize = 1024;
/// Targets.
const TARGETS: u32 = 8;

/// Branches of one kind: for the reader, and as a template.
type Kind = (&'static str, &'static str);

const CALLS: &str = ";! heap = \"iface\"\n;! types = \"main.T{t}\"\n;! methods = [\"Id\"]\n;! params = { targets = 8, order = \"sorted\" }\n;! result = \"eax\"\n;! expect = \"id+type\"\n;! clobbers = \"all\"\n;! expand = true\nbody:\n mov rcx, [rax + 24]\n mov rax, rbx\n call rcx\n{% for t in range(targets) %}func \"main.(*T{{t}}).Id\":\n mov eax, [rax]\n add eax, {{t + 1}}\n ret\n{% endfor %}";
const JUMPS: &str = ";! heap = \"iface\"\n;! types = \"main.T{t}\"\n;! methods = [\"Id\"]\n;! params = { targets = 8, order = \"sorted\" }\n;! result = \"eax\"\n;! expect = \"id+type\"\n;! clobbers = \"all\"\n;! expand = true\nbody:\n mov rcx, [rax + 24]\n jmp rcx\nback:\n{% for t in range(targets) %}func \"main.(*T{{t}}).Id\":\n mov eax, [rbx]\n add eax, {{t + 1}}\n jmp back\n{% endfor %}";
const BEHIND: &str = ";! heap = \"iface\"\n;! types = \"main.T{t}\"\n;! methods = [\"Id\"]\n;! params = { targets = 8, order = \"sorted\" }\n;! result = \"eax\"\n;! expect = \"id+type\"\n;! clobbers = \"all\"\n;! expand = true\nbody:\n mov edx, [rbx]\n test edx, 1\n jz 1f\n nop\n1: test edx, 2\n jz 2f\n nop\n2: test edx, 4\n jz 3f\n nop\n3: mov rcx, [rax + 24]\n mov rax, rbx\n call rcx\n{% for t in range(targets) %}func \"main.(*T{{t}}).Id\":\n mov eax, [rax]\n add eax, {{t + 1}}\n ret\n{% endfor %}";
const SWITCH: &str = ";! heap = \"pointer\"\n;! types = \"main.T{t}\"\n;! params = { targets = 8, order = \"sorted\" }\n;! result = \"eax\"\n;! expect = \"id+type\"\n;! clobbers = \"all\"\n;! expand = true\nbody:\n mov eax, [rax]\n{% for t in range(targets - 1) %} cmp eax, {{t + 1}}\n jne case{{t + 1}}\n add eax, {{t + 1}}\n jmp done\ncase{{t + 1}}:\n{% endfor %} add eax, {{targets}}\ndone:\n";

const KINDS: [Kind; 4] = [
    ("indirect calls", CALLS),
    ("indirect jumps", JUMPS),
    ("calls behind branches", BEHIND),
    ("chains of branches", SWITCH),
];

/// A pattern of visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Visits {
    /// Runs of one target: what is predicted.
    Sorted,
    /// What is missed.
    Random,
    Alternating,
    Cyclic,
    Short,
}

impl Visits {
    const ALL: [Visits; 5] = [
        Visits::Sorted,
        Visits::Random,
        Visits::Alternating,
        Visits::Cyclic,
        Visits::Short,
    ];
    const STUDIED: [Visits; 3] = [Visits::Alternating, Visits::Cyclic, Visits::Short];

    fn name(self) -> &'static str {
        match self {
            Visits::Sorted => "sorted",
            Visits::Random => "random",
            Visits::Alternating => "alternating",
            Visits::Cyclic => "cyclic 8",
            Visits::Short => "random 1,024",
        }
    }

    fn parameters(self) -> (&'static str, u32) {
        match self {
            Visits::Sorted => ("sorted", TARGETS),
            Visits::Random => ("random", TARGETS),
            Visits::Alternating => ("cyclic", 2),
            Visits::Cyclic => ("cyclic", TARGETS),
            // The file is never read: the numbers are given.
            Visits::Short => ("@random", TARGETS),
        }
    }
}

/// Why the patterns cannot be prepared: a fault of this program.
#[derive(Debug)]
pub enum Unprepared {
    /// A template is wrong.
    Template(Vec<Diagnostic>),
    /// A parameter is.
    Parameter(BindError),
}

/// The rows to be measured, in the order in which [`Fingerprint::of`] expects them.
///
/// # Errors
/// None but faults of this program.
pub fn scenarios(seed: u64) -> Result<Vec<Scenario>, Unprepared> {
    let mut scenarios = Vec::new();
    for (name, text) in KINDS {
        let template = Template::parse(name, Origin::Embedded, text.to_string());
        let template = Arc::new(template.map_err(Unprepared::Template)?);
        for visits in Visits::ALL {
            let (order, targets) = visits.parameters();
            let overrides = [
                ("order".to_string(), order.to_string()),
                ("targets".to_string(), targets.to_string()),
            ];
            let bound = Scenario::bind(Arc::clone(&template), &overrides);
            let bound = match visits {
                Visits::Short => bound.and_then(|scenario| scenario.replay(short(seed))),
                _ => bound,
            };
            scenarios.push(bound.map_err(Unprepared::Parameter)?);
        }
    }
    Ok(scenarios)
}

fn short(seed: u64) -> Recording {
    let mut random = SplitMix64::new(seed);
    let number = |_| random.below(u64::from(TARGETS)) as u32;
    Recording::of((0..SHORT).map(number).collect())
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// One line for a person.
    pub line: String,
    /// What it rests on.
    pub patterns: Vec<Pattern>,
}

/// One pattern of one kind of branch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pattern {
    /// The kind of branch.
    pub branches: String,
    /// The pattern.
    pub visits: String,
    /// Cycles of an iteration; `None` where it has no number.
    pub cycles: Option<f64>,
    /// Cycles of the same loop where it is predicted.
    pub predicted: Option<f64>,
    /// Cycles of the same loop where it is missed seven times in eight.
    pub missed: Option<f64>,
    /// What that comes to.
    pub found: Found,
}

/// Whether a pattern is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// It costs about what a predicted one costs.
    Learned,
    /// Something between.
    Partly,
    /// It costs about what a missed one costs.
    Missed,
    /// The samples were disturbed, or predicted and missed ones cost too much alike.
    Unknown,
}

impl Found {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Found::Learned => "learned",
            Found::Partly => "partly",
            Found::Missed => "missed",
            Found::Unknown => "unknown",
        }
    }

    /// By where the cycles lie between those of predicted and of missed branches.
    fn of(cycles: f64, predicted: f64, missed: f64) -> Found {
        /// Missed ones that cost less than this many times the predicted ones tell nothing.
        const APART: f64 = 1.3;
        const LEARNED: f64 = 0.25;
        const MISSED: f64 = 0.7;
        let share = (cycles - predicted) / (missed - predicted);
        match () {
            () if !share.is_finite() || missed <= APART * predicted => Found::Unknown,
            () if share < LEARNED => Found::Learned,
            () if share > MISSED => Found::Missed,
            () => Found::Partly,
        }
    }
}

impl Fingerprint {
    /// From the rows of [`scenarios`].
    pub fn of(rows: &[Row]) -> Fingerprint {
        let believed = |row: &Row| row.value(Quantity::Cycles).filter(|_| !row.is_disturbed());
        let mut patterns = Vec::new();
        for ((branches, _), rows) in KINDS.iter().zip(rows.chunks(Visits::ALL.len())) {
            let cycles = |visits: Visits| {
                let at = Visits::ALL.iter().position(|one| *one == visits)?;
                believed(rows.get(at)?)
            };
            let (predicted, missed) = (cycles(Visits::Sorted), cycles(Visits::Random));
            for visits in Visits::STUDIED {
                let own = cycles(visits);
                let known = own.zip(predicted.zip(missed));
                let found = known.map_or(Found::Unknown, |(own, (predicted, missed))| {
                    Found::of(own, predicted, missed)
                });
                patterns.push(Pattern {
                    branches: (*branches).to_string(),
                    visits: visits.name().to_string(),
                    cycles: own,
                    predicted,
                    missed,
                    found,
                });
            }
        }
        Fingerprint {
            line: line(&patterns),
            patterns,
        }
    }
}

/// Each kind of branch with what is learned of it.
fn line(patterns: &[Pattern]) -> String {
    let kinds = patterns.chunk_by(|one, next| one.branches == next.branches);
    let told = kinds.map(|patterns| {
        let each = patterns
            .iter()
            .map(|one| format!("{} {}", one.visits, one.found.word()));
        let all_alike = patterns
            .windows(2)
            .all(|pair| pair[0].found == pair[1].found);
        let what = if all_alike {
            format!("all {}", patterns[0].found.word())
        } else {
            each.collect::<Vec<_>>().join(", ")
        };
        format!("{}: {what}", patterns[0].branches)
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prepare::prepare;

    #[test]
    fn every_pattern_assembles_and_links() {
        let scenarios = scenarios(1).expect("binds");
        assert_eq!(scenarios.len(), KINDS.len() * Visits::ALL.len());
        for scenario in &scenarios {
            prepare(scenario).expect(&scenario.name);
        }
    }

    #[test]
    fn what_lies_near_the_predicted_is_learned_and_near_the_missed_is_not() {
        assert_eq!(Found::of(6.0, 5.0, 30.0), Found::Learned);
        assert_eq!(Found::of(29.0, 5.0, 30.0), Found::Missed);
        assert_eq!(Found::of(34.0, 5.0, 30.0), Found::Missed);
        assert_eq!(Found::of(17.0, 5.0, 30.0), Found::Partly);
        // A quarter and seven tenths of the way from 5 to 25.
        assert_eq!(Found::of(9.9, 5.0, 25.0), Found::Learned);
        assert_eq!(Found::of(10.1, 5.0, 25.0), Found::Partly);
        assert_eq!(Found::of(18.9, 5.0, 25.0), Found::Partly);
        assert_eq!(Found::of(19.1, 5.0, 25.0), Found::Missed);
        assert_eq!(Found::of(5.0, 5.0, 6.49), Found::Unknown);
        assert_eq!(Found::of(5.0, 5.0, 6.51), Found::Learned);
        assert_eq!(Found::of(5.0, 5.0, 6.0), Found::Unknown);
        assert_eq!(Found::of(f64::NAN, 5.0, 30.0), Found::Unknown);
        assert_eq!(Found::of(5.0, 30.0, 5.0), Found::Unknown);
    }

    #[test]
    fn of_disturbed_rows_nothing_is_told() {
        use crate::report::fixture::ok;
        // Sorted, random, alternating, cyclic and short, for each kind of branch.
        let cycles = [5.0, 25.0, 5.5, 24.0, 15.0];
        let all = || {
            KINDS
                .iter()
                .flat_map(|_| cycles.map(|cycles| ok("call", cycles, cycles, (1.0, 1.0))))
        };
        let mut rows: Vec<Row> = all().collect();
        let found = |rows: &[Row]| -> Vec<Found> {
            let patterns = Fingerprint::of(rows).patterns;
            patterns[..3].iter().map(|pattern| pattern.found).collect()
        };
        use Found::{Learned, Missed, Partly, Unknown};
        assert_eq!(found(&rows), [Learned, Missed, Partly]);
        rows[3].doubtful = true;
        assert_eq!(found(&rows), [Learned, Unknown, Partly]);
        rows[0].doubtful = true;
        assert_eq!(found(&rows), [Unknown; 3]);
    }

    #[test]
    fn the_line_names_each_kind_once() {
        let pattern = |branches: &str, visits: &str, found| Pattern {
            branches: branches.into(),
            visits: visits.into(),
            cycles: None,
            predicted: None,
            missed: None,
            found,
        };
        let patterns = [
            pattern("calls", "alternating", Found::Learned),
            pattern("calls", "cyclic 8", Found::Missed),
            pattern("jumps", "alternating", Found::Learned),
            pattern("jumps", "cyclic 8", Found::Learned),
        ];
        assert_eq!(
            line(&patterns),
            "calls: alternating learned, cyclic 8 missed; jumps: all learned"
        );
    }

    #[test]
    fn a_kind_without_numbers_is_unknown() {
        let fingerprint = Fingerprint::of(&[]);
        assert!(fingerprint.patterns.is_empty());
        assert_eq!(fingerprint.line, "");
    }
}
