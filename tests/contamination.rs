//! What else runs on the CPU is noticed.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use common::json;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// A CPU that this process may use.
fn any_cpu() -> usize {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("a set");
    let is_set = |cpu: &usize| allowed.is_set(*cpu).unwrap_or(false);
    (0..CpuSet::count()).find(is_set).expect("a CPU")
}

/// Ends the busy loop, whatever becomes of the test.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_busy_loop_on_the_same_cpu_is_counted_and_its_turns_are_dropped() {
    let cpu = any_cpu();
    let is_over = AtomicBool::new(false);
    let row = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut set = CpuSet::new();
            set.set(cpu).expect("a CPU");
            sched_setaffinity(Pid::from_raw(0), &set).expect("pins this thread");
            while !is_over.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        });
        let over = Over(&is_over);
        let cpu = cpu.to_string();
        let (code, document) = json(&["run", "direct_call", "--cpu", &cpu, "--time", "40"]);
        drop(over);
        assert_eq!(code, 0);
        document["rows"][0].clone()
    });
    let found = &row["disturbances"];
    assert!(found["context_switches"].as_u64() > Some(0), "{found}");
    assert!(found["switched"].as_u64() > Some(0), "{found}");
    let dropped: Option<u64> = ["switched", "interrupted", "shared_core"]
        .iter()
        .map(|cause| found[cause].as_u64())
        .sum();
    assert_eq!(row["dropped_samples"].as_u64(), dropped);
    assert!(row["metrics"]["cycles"]["value"].is_number());
}
