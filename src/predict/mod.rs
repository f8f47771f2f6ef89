//! Models of branch predictors, run over the branches of a trace: what each would have missed.
//!
//! Correct means: each model does what the literature says of its kind with the sizes that its file
//! states, agrees with a naive twin with unbounded tables wherever its own tables are large enough, and
//! misses are counted at the branch that was missed, behind the warm-up alone. No model is any CPU's
//! predictor, so that nothing here is a measurement.

mod history;
mod indirect;
mod ittage;
mod returns;
mod simple;
mod tage;
mod tally;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod twins;

use crate::branch::{Branch, BranchKind};

pub use indirect::LastTarget;
pub use ittage::{Ittage, Path};
pub use returns::ReturnStack;
pub use simple::{Bimodal, Gshare};
pub use tage::Tage;
pub use tally::{SiteTally, Tally};

/// A model of a predictor. It sees each branch of a trace once, in order.
pub trait Model {
    /// Its name in reports, as in `model:NAME`.
    fn name(&self) -> &'static str;

    /// Whether it predicts branches of this kind.
    fn predicts(&self, kind: BranchKind) -> bool;

    /// Predicts the branch, learns what it did, and says whether the prediction was wrong. A branch of
    /// a kind that it does not predict is never missed, but may be part of its history.
    fn misses(&mut self, branch: &Branch) -> bool;
}

/// All models, in the order of reports.
pub fn models() -> Vec<Box<dyn Model>> {
    vec![
        Box::new(LastTarget::new()),
        Box::new(Ittage::new(Path::Textbook)),
        Box::new(Ittage::new(Path::ConditionalOnly)),
        Box::new(Bimodal::new()),
        Box::new(Gshare::new()),
        Box::new(Tage::new()),
        Box::new(ReturnStack::new(returns::DEEP)),
        Box::new(ReturnStack::new(returns::SHALLOW)),
    ]
}

fn is_indirect(kind: BranchKind) -> bool {
    matches!(kind, BranchKind::IndirectCall | BranchKind::IndirectJump)
}

/// The bits of an address that tables are indexed with, all of them mixed in: neighbouring branches
/// differ in the low ones, functions in those above.
fn mixed(address: u64) -> u64 {
    address ^ (address >> 7) ^ (address >> 15)
}
