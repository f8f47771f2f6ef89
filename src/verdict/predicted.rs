//! What models of predictors would miss, as the report has it.
//!
//! Correct means: each branch is at the address that `show` has for it, and misses are per iteration.

use crate::job::Prediction;
use crate::prepare::Prepared;
use crate::report::misses::{Miss, Modelled, Site};

/// What a worker found, with the addresses that `show` has.
pub(crate) fn told(prepared: &Prepared, prediction: &Prediction) -> Modelled {
    let image = &prepared.image;
    let each = |count: u64| count as f64 / prediction.counted as f64;
    let sites = prediction.sites.iter().map(|site| {
        let address = image.site.code + site.code_offset;
        Site {
            address,
            line: image.line(&prepared.row.program, address),
            file: None,
            kind: site.kind,
            executed: each(site.executed),
            misses: site
                .misses
                .iter()
                .map(|(model, count)| Miss {
                    model: model.clone(),
                    value: each(*count),
                })
                .collect(),
        }
    });
    Modelled {
        trace: prediction.by.source(),
        iterations: prediction.iterations,
        counted: prediction.counted,
        sites: sites.collect(),
    }
}
