//! Files whose numbers follow their edits: what is known of each, and what one save came to.
//!
//! Correct means: a save is one run with a number of its own, whatever it came to; the baseline is the first run that had
//! numbers, until another is pinned; and only runs with numbers are held against.

use std::collections::VecDeque;

use crate::pipeline::Task;
use crate::pipeline::compare::refuse_measured;
use crate::pipeline::follow::{self, InTurns};
use crate::report::listing::Listing;
use crate::report::{Comparison, Row};
use crate::stats::Quantity;
use crate::text::diagnostic::Diagnostic;
use crate::verdict;

pub mod code;
pub mod plain;
#[cfg(feature = "view")]
pub mod view;

/// Runs that are remembered, to be drawn.
pub const REMEMBERED: usize = 60;

/// A file that is followed.
#[derive(Debug, Clone, Default)]
pub struct Subject {
    /// What the command line calls it.
    pub name: String,
    /// Saves so far.
    pub runs: u64,
    baseline: Option<Earlier>,
    last: Option<Earlier>,
    /// Cycles of its last runs, the oldest first.
    pub history: VecDeque<f64>,
}

/// A run that had numbers.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// What it is called: `run 3`, or a file.
    pub name: String,
    /// What it was of.
    pub of: Of,
    /// What it came to.
    pub row: Row,
}

/// What an earlier run was of.
#[derive(Debug, Clone)]
pub enum Of {
    /// A text that can run again, in turns with another.
    Text(Box<Task>),
    /// A report that was saved, which nothing can run again.
    Report {
        /// Whether this machine measured it; of another one's only counts mean something here.
        is_own_machine: bool,
    },
}

impl Earlier {
    /// Its code, with how often each instruction ran where that was counted.
    pub fn code(&self) -> Option<Listing> {
        match &self.of {
            Of::Text(task) => code_of(&self.row, task),
            Of::Report { .. } => self.row.listing.clone(),
        }
    }

    /// What can run again of it.
    pub fn task(&self) -> Option<&Task> {
        match &self.of {
            Of::Text(task) => Some(task),
            Of::Report { .. } => None,
        }
    }

    /// A row held against it that was measured at another time.
    fn apart(&self, row: &Row) -> Vec<Comparison> {
        let mut compared = follow::apart(&self.row, row);
        if let Of::Report {
            is_own_machine: false,
        } = self.of
        {
            compared.iter_mut().for_each(refuse_measured);
        }
        compared
    }
}

/// The code of a row, as far as its text assembles.
pub fn code_of(row: &Row, task: &Task) -> Option<Listing> {
    let prepared = task.prepared.as_ref().ok();
    let unrun = || Some(verdict::code(&task.scenario, prepared?));
    row.listing.clone().or_else(unrun)
}

/// How sure a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    /// Found in the least time.
    AtOnce,
    /// As the settings say, in turns with the baseline and the last run.
    InTurns,
}

/// What became of a save.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A row, with numbers or with the reason why there are none.
    Row(Pass, Box<Row>),
    /// What is wrong with its text.
    Wrong(Vec<Diagnostic>),
    /// There is no such file at the moment.
    Gone,
    /// The command line does not fit this text any more: why.
    Refused(String),
}

/// A row held against an earlier run.
#[derive(Debug, Clone, PartialEq)]
pub struct Against {
    /// `the baseline`, `run 3`.
    pub name: String,
    /// Each metric; empty where they cannot be held against each other.
    pub comparisons: Vec<Comparison>,
}

impl Against {
    /// The one of cycles.
    pub fn cycles(&self) -> Option<&Comparison> {
        let cycles = Quantity::Cycles.known().name;
        self.comparisons.iter().find(|one| one.metric == cycles)
    }
}

/// What there is to show of a save.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The file.
    pub name: String,
    /// Which save of it.
    pub run: u64,
    /// What became of it.
    pub outcome: Outcome,
    /// It held against the baseline and the last run, as far as there are any.
    pub against: Vec<Against>,
    /// Whether later runs are held against this one.
    pub is_baseline: bool,
}

impl Subject {
    /// A file of which nothing is known yet.
    pub fn new(name: &str) -> Subject {
        Subject {
            name: name.to_string(),
            ..Subject::default()
        }
    }

    /// The same with a baseline that was measured before.
    pub fn with_baseline(self, baseline: Earlier) -> Subject {
        Subject {
            baseline: Some(baseline),
            ..self
        }
    }

    /// One more save.
    pub fn saved(self) -> Subject {
        Subject {
            runs: self.runs + 1,
            ..self
        }
    }

    /// The same, where later runs are held against the last one that had numbers.
    pub fn pinned(self) -> Subject {
        Subject {
            baseline: self.last.clone().or(self.baseline),
            ..self
        }
    }

    /// The same as if none had run: the next run with numbers is the baseline.
    pub fn cleared(self) -> Subject {
        Subject {
            baseline: None,
            last: None,
            history: VecDeque::new(),
            ..self
        }
    }

    /// What runs are held against.
    pub fn baseline(&self) -> Option<&Earlier> {
        self.baseline.as_ref()
    }

    /// The runs that the next one is held against: the baseline, and the last one where that is another.
    pub fn earlier(&self) -> Vec<&Earlier> {
        let is_other = |last: &&Earlier| {
            self.baseline
                .as_ref()
                .is_none_or(|base| base.name != last.name)
        };
        self.baseline
            .iter()
            .chain(self.last.as_ref().filter(is_other))
            .collect()
    }

    /// What a number at once comes to.
    pub fn at_once(&self, row: Row) -> Update {
        let apart = |earlier: &Earlier| earlier.apart(&row);
        Update {
            against: self.against(self.earlier().into_iter().map(apart)),
            is_baseline: false,
            ..self.update(Outcome::Row(Pass::AtOnce, Box::new(row)))
        }
    }

    /// What the refined number comes to, and the file with it: the next run is held against this one. It was measured in
    /// turns with those of the earlier ones that can run again.
    pub fn in_turns(self, task: Task, found: InTurns) -> (Subject, Update) {
        let has_numbers = found.row.metrics.is_some();
        let mut in_turns = found.against.into_iter();
        let held = |earlier: &Earlier| match earlier.of {
            Of::Text(_) => in_turns.next().unwrap_or_default(),
            Of::Report { .. } => earlier.apart(&found.row),
        };
        let held: Vec<Vec<Comparison>> = self.earlier().into_iter().map(held).collect();
        let update = Update {
            against: self.against(held),
            is_baseline: self.baseline.is_none() && has_numbers,
            ..self.update(Outcome::Row(Pass::InTurns, Box::new(found.row.clone())))
        };
        if !has_numbers {
            return (self, update);
        }
        (self.remembering(task, found.row), update)
    }

    /// The file with one more run that had numbers: the next one is held against it.
    pub fn remembering(self, task: Task, row: Row) -> Subject {
        let mut history = self.history;
        history.extend(row.value(Quantity::Cycles));
        let older = history.len().saturating_sub(REMEMBERED);
        history.drain(..older);
        let own = Earlier {
            name: format!("run {}", self.runs),
            of: Of::Text(Box::new(task)),
            row,
        };
        Subject {
            baseline: self.baseline.or_else(|| Some(own.clone())),
            last: Some(own),
            history,
            ..self
        }
    }

    /// What there is where nothing was measured.
    pub fn without_number(&self, outcome: Outcome) -> Update {
        self.update(outcome)
    }

    fn update(&self, outcome: Outcome) -> Update {
        Update {
            name: self.name.clone(),
            run: self.runs,
            outcome,
            against: Vec::new(),
            is_baseline: false,
        }
    }

    fn against(&self, all: impl IntoIterator<Item = Vec<Comparison>>) -> Vec<Against> {
        let named = |(earlier, comparisons): (&Earlier, Vec<Comparison>)| {
            let is_baseline = self
                .baseline
                .as_ref()
                .is_some_and(|base| base.name == earlier.name);
            Against {
                name: match is_baseline {
                    true => format!("the baseline, {}", earlier.name),
                    false => earlier.name.clone(),
                },
                comparisons,
            }
        };
        self.earlier().into_iter().zip(all).map(named).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture;
    use crate::scenario::Scenario;
    use crate::template::Library;
    use crate::text::Style;

    fn task() -> Task {
        let template = Library::embedded().load("inline").expect("it is shipped");
        Task::new(&Scenario::bind(template.into(), &[]).expect("it binds"))
    }

    fn row(cycles: f64) -> Row {
        fixture::ok("own", cycles, cycles, (5.0, 2.0))
    }

    fn run(subject: Subject, cycles: f64) -> Subject {
        subject.saved().remembering(task(), row(cycles))
    }

    fn earlier(subject: &Subject) -> Vec<&str> {
        let earlier = subject.earlier().into_iter();
        earlier.map(|one| one.name.as_str()).collect()
    }

    #[test]
    fn a_run_is_held_against_the_baseline_and_the_last_one_where_that_is_another() {
        let subject = Subject::new("own.asm");
        assert_eq!(earlier(&subject), Vec::<&str>::new());
        let subject = run(subject, 5.0);
        assert_eq!(earlier(&subject), ["run 1"]);
        let subject = run(run(subject, 6.0), 7.0);
        assert_eq!(earlier(&subject), ["run 1", "run 3"]);
        let pinned = run(subject.clone().pinned(), 8.0);
        assert_eq!(earlier(&pinned), ["run 3", "run 4"]);
        let cleared = subject.cleared();
        assert_eq!((earlier(&cleared), cleared.history.len()), (vec![], 0));
        assert_eq!(earlier(&run(cleared, 9.0)), ["run 4"]);
    }

    #[test]
    fn a_baseline_of_another_file_stays_until_another_is_pinned() {
        let baseline = Earlier {
            name: "base.asm".into(),
            of: Of::Text(Box::new(task())),
            row: row(5.0),
        };
        let subject = Subject::new("own.asm").with_baseline(baseline);
        let subject = run(run(subject, 6.0), 7.0);
        assert_eq!(earlier(&subject), ["base.asm", "run 2"]);
        assert_eq!(earlier(&subject.pinned()), ["run 2"]);
    }

    #[test]
    fn a_saved_report_is_held_apart_and_of_another_machine_its_counts_alone() {
        for is_own_machine in [true, false] {
            let saved = Earlier {
                name: "saved.json".into(),
                of: Of::Report { is_own_machine },
                row: row(5.0),
            };
            let subject = Subject::new("own.asm").with_baseline(saved);
            let subject = run(subject, 10.0).saved();
            // Of the two earlier ones run 1 alone took turns with it.
            let found = InTurns {
                row: row(20.0),
                against: vec![follow::apart(&row(10.0), &row(20.0))],
                warnings: Vec::new(),
            };
            let (_, update) = subject.in_turns(task(), found);
            let ratio = |at: usize| {
                let against: &Against = &update.against[at];
                (
                    against.name.as_str(),
                    against.cycles().and_then(|one| one.ratio),
                )
            };
            let saved = is_own_machine.then_some(4.0);
            assert_eq!(ratio(0), ("the baseline, saved.json", saved));
            assert_eq!(ratio(1), ("run 1", Some(2.0)));
            let of = &update.against[0].comparisons;
            let mut counts = of.iter().filter(|one| one.metric == "instructions");
            assert_eq!(counts.next().and_then(|one| one.ratio), Some(1.0));
        }
    }

    #[test]
    fn so_many_runs_are_remembered_and_no_more() {
        let mut subject = Subject::new("own.asm");
        for cycles in 0..REMEMBERED {
            subject = run(subject, cycles as f64);
        }
        assert_eq!(subject.history.len(), REMEMBERED);
        let subject = run(subject, 100.0);
        assert_eq!(subject.history.len(), REMEMBERED);
        assert_eq!(
            (subject.history[0], subject.history[REMEMBERED - 1]),
            (1.0, 100.0)
        );
    }

    #[test]
    fn a_line_has_each_number_beside_its_basis_and_each_ratio_beside_its_interval() {
        let style = Style {
            width: 400,
            color: false,
            unicode: true,
        };
        let subject = run(Subject::new("own.asm"), 5.0).saved();
        let told = plain::render(&subject.at_once(row(10.0)), style);
        for part in [
            "2 own.asm: at once 10.00 ",
            " cycles measured, ",
            "5 instr exact, 2 branch exact",
            "2.000× [",
            "of the baseline, run 1",
        ] {
            assert!(told.contains(part), "`{part}` in {told}");
        }
        let gone = plain::render(&subject.without_number(Outcome::Gone), style);
        assert!(
            gone.starts_with("2 own.asm: no number: the file is gone"),
            "{gone}"
        );
    }
}
