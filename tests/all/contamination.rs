//! What else runs on the CPU is noticed.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::{self, json};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

/// A CPU that this process may use.
fn any_cpu() -> usize {
    let allowed = sched_getaffinity(Pid::from_raw(0)).expect("a set");
    let is_set = |cpu: &usize| allowed.is_set(*cpu).unwrap_or(false);
    (0..CpuSet::count()).find(is_set).expect("a CPU")
}

/// The tests of this file would disturb each other.
static ALONE: Mutex<()> = Mutex::new(());

/// Ends the busy loop, whatever becomes of the test.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does something while so many busy loops share its CPU.
fn beside<T>(loops: usize, work: impl FnOnce(&str) -> T) -> T {
    let cpu = any_cpu();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..loops {
            scope.spawn(|| {
                let mut set = CpuSet::new();
                set.set(cpu).expect("a CPU");
                sched_setaffinity(Pid::from_raw(0), &set).expect("pins this thread");
                while !is_over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let _over = Over(&is_over);
        work(&cpu.to_string())
    })
}

#[test]
fn a_busy_loop_on_the_same_cpu_is_counted_and_its_turns_are_dropped() {
    let _alone = ALONE.lock();
    let row = beside(1, |cpu| {
        let (code, document) = json(&["run", "direct_call", "--cpu", cpu, "--time", "400"]);
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

#[test]
fn three_busy_loops_on_the_same_cpu_leave_a_row_about_as_many_turns_as_it_has_alone() {
    let _alone = ALONE.lock();
    let chunks = |cpu: &str| {
        let arguments = [
            "run",
            "direct_call",
            "--cpu",
            cpu,
            "--time",
            "40",
            "--counters",
            "clock",
        ];
        let (code, document) = json(&arguments);
        assert_eq!(code, 0);
        let chunks = document["rows"][0]["disturbances"]["chunks"].as_u64();
        chunks.expect("a number") as f64
    };
    let alone = chunks(&any_cpu().to_string());
    let shared = beside(3, chunks);
    // A quarter of the time would be a quarter of the turns, and a row that is disturbed has up to four times more.
    assert!(
        shared > 0.45 * alone.min(2000.0),
        "{shared} and {alone} alone"
    );
}

#[test]
fn a_setup_beside_three_busy_loops_has_the_time_of_the_processor_that_it_may_take() {
    let _alone = ALONE.lock();
    let folder = common::folder("setup_beside_others");
    // Some .8 to 1.8 s of the processor, and four times as much on the clock.
    let text = ";! result = \"eax\"\n;! expect = 7\nsetup:\n mov rcx, 3000000000\n1: dec rcx\n jnz 1b\nbody:\n mov eax, 7\n";
    let file = common::template(&folder, "setup", text);
    let document = beside(3, |cpu| {
        json(&[
            "run",
            &file,
            "--cpu",
            cpu,
            "--placements",
            "1",
            "--quick",
            "--timeout",
            "2.5",
        ])
        .1
    });
    assert_eq!(document["rows"][0]["status"], "ok", "{document:#}");
}
