//! What models of branch predictors would miss, beside the code; its text and its JSON.
//!
//! Correct means: nothing is computed here but totals, and no number leaves without the word `modelled`
//! and the name of its model. None of this enters a report's `misses`.

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::Basis;
use crate::branch::BranchKind;
use crate::text::printable;

/// The branches of a scenario, and what each model would miss at them.
#[derive(Debug, Clone, PartialEq)]
pub struct Modelled {
    /// `step` or `interpreter`: what told the branches.
    pub trace: &'static str,
    /// Iterations that the models were shown.
    pub iterations: u64,
    /// Those behind the warm-up, in which misses were counted.
    pub counted: u64,
    /// The branches that were executed, by address.
    pub sites: Vec<Site>,
}

/// The models beside a row that was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Models {
    /// What they would miss.
    pub modelled: Modelled,
    /// Where that is not what was inferred.
    pub disagreement: Option<String>,
}

/// One branch of the code.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Where it stands in the listing of `show`.
    pub address: u64,
    /// Its line in the template, or in the text that it includes.
    pub line: Option<u32>,
    /// That text's file.
    pub file: Option<String>,
    /// Its kind.
    pub kind: BranchKind,
    /// How often an iteration executes it.
    pub executed: f64,
    /// What each model that predicts such branches would miss; none where the target stands in the code.
    pub misses: Vec<Miss>,
}

/// What one model would miss.
#[derive(Debug, Clone, PartialEq)]
pub struct Miss {
    /// The model, as in `model:NAME`.
    pub model: String,
    /// Misses per iteration.
    pub value: f64,
}

/// Why there is nothing modelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotModelled {
    /// The reason and what next, without a full stop.
    pub why: String,
    /// The exit code that it asks for.
    pub code: i32,
}

impl Modelled {
    /// What a model would miss in an iteration, all branches together; `None` where it predicts none of
    /// them.
    pub fn total(&self, model: &str) -> Option<f64> {
        let misses = self.sites.iter().flat_map(|site| &site.misses);
        let own = misses
            .filter(|miss| miss.model == model)
            .map(|miss| miss.value);
        own.fold(None, |sum, value| Some(sum.unwrap_or(0.0) + value))
    }

    /// The branch at an address of `show`.
    pub fn at(&self, address: u64) -> Option<&Site> {
        let at = self
            .sites
            .binary_search_by_key(&address, |site| site.address);
        at.ok().map(|at| &self.sites[at])
    }

    /// What stands under the instruction at an address, with a line break at the end; nothing where no
    /// model predicts it.
    pub fn under(&self, address: u64) -> String {
        let Some(site) = self.at(address).filter(|site| !site.misses.is_empty()) else {
            return String::new();
        };
        if site.executed == 0.0 {
            return format!("{INDENT}modelled: reached in the warm-up only\n");
        }
        let misses = site.misses.iter();
        let misses: Vec<String> = misses
            .map(|miss| format!("{} {:.2}", miss.model, miss.value))
            .collect();
        format!("{INDENT}modelled: {}\n", misses.join(", "))
    }
}

/// As far in as what an instruction did.
const INDENT: &str = "            ";

/// What the reader of a listing must know, in one paragraph with a line break at the end.
pub fn note(modelled: &Result<Modelled, NotModelled>) -> String {
    match modelled {
        Ok(modelled) => format!(
            "modelled: what textbook predictors would miss in an iteration, the mean of the last {} of {} \
             {} ones. Nothing here was measured, and no model is this CPU's predictor. A branch \
             without such a line was not reached, or has its only target in its own bytes.\n",
            modelled.counted,
            modelled.iterations,
            match modelled.trace {
                "step" => "stepped",
                _ => "interpreted",
            }
        ),
        Err(reason) => format!("modelled: nothing ({})\n", printable::line(&reason.why)),
    }
}

impl Serialize for Models {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut value = whole(&self.modelled);
        value["disagreement"] = json!(self.disagreement);
        value.serialize(serializer)
    }
}

fn whole(modelled: &Modelled) -> Value {
    json!({
        "iterations": modelled.iterations,
        "counted": modelled.counted,
        "trace": modelled.trace,
        "sites": modelled.sites.iter().map(site).collect::<Vec<_>>(),
    })
}

/// The same as JSON.
pub fn json(modelled: &Result<Modelled, NotModelled>) -> Value {
    match modelled {
        Ok(modelled) => whole(modelled),
        Err(reason) => json!({ "basis": Basis::Unsupported.name(), "why": reason.why }),
    }
}

fn site(site: &Site) -> Value {
    // A branch that the counted iterations never reached has no misses to tell, not none.
    let counted = site.misses.iter().filter(|_| site.executed > 0.0);
    let misses: Map<String, Value> = counted
        .map(|miss| {
            let value = json!({
                "value": miss.value,
                "basis": Basis::Modelled.name(),
                "source": format!("model:{}", miss.model),
            });
            (miss.model.clone(), value)
        })
        .collect();
    let mut told = json!({
        "address": format!("{:#x}", site.address),
        "line": site.line,
        "kind": site.kind,
        "executed": site.executed,
        "branch_misses": misses,
    });
    if let Some(file) = &site.file {
        told["file"] = json!(file);
    }
    told
}
