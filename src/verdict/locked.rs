//! Branches that some CPUs count too often: those behind a locked instruction.
//!
//! Correct means: a row is doubted only where the CPU is one of those, its branches were counted by it, and its code has
//! such an instruction. AMD's Zen, Zen 2 and Zen 3 run ahead of a locked instruction and may count what they then take
//! back, as the debugger rr found (its issue 2034), unless bit 54 of MSR C001_1020 forbids it; no machine of ours has
//! shown it.

use iced_x86::{Mnemonic, OpKind};

use crate::link::{Image, Owner};
use crate::report::{Metric, Provenance};

/// What must be known of counted branches.
pub(super) fn doubt(image: &Image, machine: &Provenance, branches: &Metric) -> Option<String> {
    let is_counted = branches.source.as_deref() == Some("pmu") && branches.value.is_some();
    (is_counted && counts_taken_back(machine) && has_lock(image)).then(|| {
        "this CPU may count branches behind a locked instruction more than once (Zen to Zen 3, unless SpecLockMap is \
         switched off): believe `branch` of --counters clock"
            .into()
    })
}

fn counts_taken_back(machine: &Provenance) -> bool {
    let is_amd = machine.cpu.starts_with("AMD");
    // Zen 4 shares the family of Zen 3.
    let is_zen_3 = matches!(machine.model, 0x00..=0x0f | 0x20..=0x2f | 0x40..=0x5f);
    is_amd && (machine.family == 0x17 || machine.family == 0x19 && is_zen_3)
}

fn has_lock(image: &Image) -> bool {
    let own = image.pieces.iter();
    let own = own.filter(|piece| matches!(piece.owner, Owner::Section(_)));
    own.flat_map(|piece| image.instructions(piece)).any(|one| {
        // An exchange with memory locks without being asked.
        let is_exchange = one.mnemonic() == Mnemonic::Xchg
            && (0..one.op_count()).any(|at| one.op_kind(at) == OpKind::Memory);
        one.has_lock_prefix() || is_exchange
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::prepare::prepare;
    use crate::report::Basis;
    use crate::scenario::Scenario;
    use crate::template::{Origin, Template};

    fn is_doubted(code: &str, (cpu, family, model): (&str, u32, u32), source: &str) -> bool {
        let text = format!("body:\n sub rsp, 16\n {code}\n add rsp, 16\n");
        let template = Template::parse("locked", Origin::Embedded, text).expect("it is sound");
        let scenario = Scenario::bind(Arc::new(template), &[]).expect("binds");
        let prepared = prepare(&scenario).expect("it assembles");
        let machine = Provenance {
            cpu: cpu.into(),
            family,
            model,
            ..Provenance::default()
        };
        let branches = Metric::of(1.0, Basis::Measured, source);
        doubt(&prepared.image, &machine, &branches).is_some()
    }

    #[test]
    fn branches_behind_a_lock_are_doubted_on_zen_to_zen_3_where_the_cpu_counted_them() {
        let zen_2 = ("AMD EPYC 7R32", 0x17, 0x31);
        for (code, machine, source, is_it) in [
            ("lock inc dword ptr [rsp]", zen_2, "pmu", true),
            ("xchg eax, [rsp]", zen_2, "pmu", true),
            ("xchg eax, ecx", zen_2, "pmu", false),
            ("inc dword ptr [rsp]", zen_2, "pmu", false),
            ("lock inc dword ptr [rsp]", zen_2, "step", false),
            (
                "lock inc dword ptr [rsp]",
                ("AMD Ryzen", 0x19, 0x21),
                "pmu",
                true,
            ),
            (
                "lock inc dword ptr [rsp]",
                ("AMD EPYC", 0x19, 0x11),
                "pmu",
                false,
            ),
            (
                "lock inc dword ptr [rsp]",
                ("AMD EPYC", 0x1a, 0x02),
                "pmu",
                false,
            ),
            (
                "lock inc dword ptr [rsp]",
                ("Intel Xeon", 0x17, 0x01),
                "pmu",
                false,
            ),
        ] {
            assert_eq!(
                is_doubted(code, machine, source),
                is_it,
                "{code} {machine:?} {source}"
            );
        }
    }
}
