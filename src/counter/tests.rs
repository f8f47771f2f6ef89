//! The way from the opening of a counter to a reading, with a kernel of the tests' own behind it.
//!
//! Correct means: what is asked of the kernel is asked in this order and nothing else is, and whatever it
//! answers comes out as a number or as its reason.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use perf_event::events::{Hardware, Software};
use serde_json::Value;

use super::clock::Clock;
use super::errno::Surroundings;
use super::further::Further;
use super::group::{self, EventGroup, Named, Refused, Way};
use super::pmu::{Held, Pmu, PmuSource, is_believed};
use crate::job::catalogue::{Countable, CountedIn, Known};
use crate::job::{Counters, Plan};
use crate::prepare::prepare;
use crate::scenario::Scenario;
use crate::stage::{Ground, Run, Stage};
use crate::stats::{self, Event};
use crate::sys::cores::CorePmus;
use crate::sys::fake_kernel::{Asked, FakeKernel, Opening};
use crate::sys::mapping::Window;
use crate::sys::shared::SharedPage;
use crate::sys::signals;
use crate::template::{Origin, Template};
use crate::worker::timing::{self, Proved, Scale};

/// `PERF_TYPE_HARDWARE`, `PERF_TYPE_SOFTWARE` and `PERF_TYPE_RAW` of linux/perf_event.h.
const HARDWARE: u32 = 0;
const SOFTWARE: u32 = 1;
const RAW: u32 = 4;
/// `PERF_COUNT_HW_*` of the columns, in their order.
const CODES: [u64; 4] = [0, 1, 4, 5];
/// `PERF_COUNT_SW_DUMMY`: what leads a group.
const DUMMY: u64 = 9;

fn willing(_: &Opening) -> Option<i32> {
    None
}

fn alone(kind: u32, code: u64) -> Opening {
    Opening {
        kind,
        code,
        is_member: false,
        counts_kernel: false,
        is_without_guests: kind != SOFTWARE,
    }
}

fn member(kind: u32, code: u64) -> Opening {
    Opening {
        is_member: true,
        ..alone(kind, code)
    }
}

#[test]
fn each_event_is_opened_alone_and_then_all_in_one_group() {
    let kernel = FakeKernel::install(willing);
    let _pmu = Pmu::open(None);
    let single = CODES.map(|code| alone(HARDWARE, code));
    let together = CODES.map(|code| member(HARDWARE, code));
    let leader = [alone(SOFTWARE, DUMMY)];
    let expected: Vec<Opening> = single.into_iter().chain(leader).chain(together).collect();
    assert_eq!(kernel.openings(), expected);
    let switched: Vec<Asked> = kernel.asked().split_off(expected.len());
    // A member that is switched on behind its group does not count at first.
    assert_eq!(
        switched,
        [[Asked::EnableMember(0); 4].as_slice(), &[Asked::Enable(0)]].concat()
    );
}

#[test]
fn each_event_that_is_refused_has_its_own_errno_and_the_others_count() {
    let refusals = [(0, libc::EACCES), (4, libc::EOPNOTSUPP), (5, libc::ENOENT)];
    let kernel = FakeKernel::install(move |opening| {
        let is_it = |(code, _): &&(u64, i32)| opening.kind == HARDWARE && opening.code == *code;
        refusals.iter().find(is_it).map(|(_, errno)| *errno)
    });
    let pmu = Pmu::open(None);
    let reason = |event: Event| {
        let mut states = pmu.states().iter();
        let (_, state) = states.find(|(other, _)| *other == event).expect("a state");
        state.clone().expect_err("not believed").reason
    };
    assert!(reason(Event::Cycles).ends_with("EACCES"));
    assert!(reason(Event::Branches).ends_with("EOPNOTSUPP"));
    assert!(reason(Event::BranchMisses).ends_with("ENOENT"));
    assert!(reason(Event::Instructions).contains("did not pass the check"));
    let members = kernel.openings().into_iter().filter(|one| one.is_member);
    assert_eq!(members.collect::<Vec<_>>(), [member(HARDWARE, 1)]);
}

#[test]
fn a_member_refused_in_the_group_ends_the_group_and_another_is_opened_without_it() {
    let kernel = FakeKernel::install(|opening| {
        let is_one_too_many = opening.is_member && opening.code == 4;
        is_one_too_many.then_some(libc::ENOSPC)
    });
    let opened = EventGroup::open(&CODES.map(|code| (code, raw(code))), None);
    let [(4, error)] = &opened.without_room[..] else {
        panic!("{:?}", opened.without_room)
    };
    assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    let group = opened.group.expect("the others");
    let members = |codes: &[u64]| codes.iter().map(|code| member(RAW, *code)).collect();
    let again = [
        members(&[0, 1, 4]),
        vec![alone(SOFTWARE, DUMMY)],
        members(&[0, 1, 5]),
    ]
    .concat();
    assert_eq!(kernel.openings().split_off(5), again);
    // The first group was never read, and the second has three members.
    kernel.will_read(1, &[10, 20, 30], (100, 100));
    assert_eq!(group.read().expect("reads").counts[..3], [10, 20, 30]);
}

fn raw(code: u64) -> crate::job::catalogue::Asked {
    crate::job::catalogue::Asked::Raw(code.into())
}

fn pair() -> [Named<&'static str>; 2] {
    [
        ("cycles", Hardware::CPU_CYCLES.into()),
        ("clock", Software::TASK_CLOCK.into()),
    ]
}

#[test]
fn readings_that_missed_a_part_are_refused_whatever_they_count() {
    let kernel = FakeKernel::install(willing);
    let group = EventGroup::open(&pair(), None).group.expect("a group");
    kernel.will_read(0, &[100, 10], (1000, 1000));
    kernel.will_read(0, &[170, 17], (2000, 2000));
    kernel.will_read(0, &[190, 19], (3000, 2400));
    kernel.will_read(0, &[190, 19], (4000, 2400));
    let read = || group.read().expect("reads");
    let readings = [read(), read(), read(), read()];
    let between = |at: usize| readings[at + 1].since(&readings[at]);
    assert_eq!(
        between(0).map(|counts| counts[..2].to_vec()),
        Ok(vec![70, 7])
    );
    let (running_ns, enabled_ns) = (400, 1000);
    assert_eq!(
        between(1),
        Err(Refused::Multiplexed {
            running_ns,
            enabled_ns
        })
    );
    assert_eq!(between(2), Err(Refused::NeverRan { enabled_ns }));
    // There is nothing more to be read.
    assert_eq!(group.read(), Err(Refused::Incomplete));
}

#[test]
fn a_reading_that_is_no_sound_one_ends_nothing_but_itself() {
    let kernel = FakeKernel::install(willing);
    let group = EventGroup::open(&pair(), None).group.expect("a group");
    kernel.will_read(0, &[1, 1], (1000, 1001));
    kernel.will_read(0, &[2, 2], (2000, 2000));
    assert!(matches!(group.read(), Err(Refused::Multiplexed { .. })));
    assert_eq!(group.read().expect("reads").counts[..2], [2, 2]);
}

#[test]
fn a_kernel_that_does_not_know_guests_is_asked_without_that_wish() {
    let kernel = FakeKernel::install(|opening| opening.is_without_guests.then_some(libc::EINVAL));
    let opened = EventGroup::open(&pair(), None);
    assert!(opened.refused.is_empty() && opened.group.is_some());
    let wishes: Vec<bool> = kernel
        .openings()
        .iter()
        .filter(|one| one.kind == HARDWARE)
        .map(|one| one.is_without_guests)
        .collect();
    assert_eq!(wishes, [true, false, true, false]);
}

#[test]
fn events_name_the_pmu_of_their_kind_of_core() {
    const ATOM: u32 = 10;
    let kernel = FakeKernel::install(willing);
    let events = [
        ("cycles", Hardware::CPU_CYCLES.into()),
        ("faults", Software::PAGE_FAULTS.into()),
        ("raw", raw(0x1c4)),
    ];
    let _group = EventGroup::open(&events, Some(ATOM))
        .group
        .expect("a group");
    let single = &kernel.openings()[..3];
    let asked: Vec<(u32, u64)> = single.iter().map(|one| (one.kind, one.code)).collect();
    assert_eq!(asked, [(HARDWARE, 10 << 32), (SOFTWARE, 2), (ATOM, 0x1c4)]);
}

#[test]
fn a_group_says_why_it_is_not_read_with_rdpmc() {
    /// Capabilities: they mean what they are called; and a program may read the counter.
    const SOUND: u64 = 1 << 1;
    const RDPMC: u64 = 1 << 2;
    for (capabilities, words) in [
        (SOUND, "lets no program read"),
        // Its counter is on none of the CPU's.
        (SOUND | RDPMC, "on none of the CPU"),
    ] {
        let kernel = FakeKernel::with_pages(capabilities, willing);
        let group = EventGroup::open(&pair(), None).group.expect("a group");
        let Way::Call(why) = group.way() else {
            panic!("{:?}", group.way())
        };
        assert!(why.contains(words), "{why}");
        kernel.will_read(0, &[5, 6], (10, 10));
        assert_eq!(group.read().expect("by a call").counts[..2], [5, 6]);
    }
}

#[test]
fn a_group_whose_members_are_on_the_cpus_counters_is_read_with_rdpmc() {
    let kernel = FakeKernel::with_counters(willing);
    // 48 bits, and the highest is a sign: the first began half a counter below zero, as its page says.
    let begun = 1 << 47;
    kernel.will_show(0, begun);
    kernel.will_show(1, 7);
    let group = EventGroup::open(&pair(), None).group.expect("a group");
    assert_eq!(group.way(), &Way::Rdpmc);
    assert_eq!(group.numbers(), [Some(0), Some(1)]);
    let before = group.read().expect("reads");
    assert_eq!(before.counts[..2], [0, begun + 7]);
    kernel.will_show(0, begun + 100);
    kernel.will_show(1, 17);
    let after = group.read().expect("reads");
    assert_eq!(after.since(&before).expect("ran")[..2], [100, 10]);
    // It is the page that says where a member counts.
    kernel.take_away(0, 1);
    let hidden = group.read().expect_err("one is on no counter");
    assert!(
        hidden.to_string().contains("on none of the CPU"),
        "{hidden}"
    );
}

/// Of a kernel with so many free counters: what counts together, and what in turns of its own.
#[test]
fn what_has_no_free_counter_beside_the_others_never_runs_with_them_and_is_counted_apart() {
    let (first, last) = (&Event::ALL[..], &Event::ALL[3..]);
    #[rustfmt::skip] // a table: free counters, each group's members in the order of their opening, and which count
    let table = [
        (4, vec![first], 0, vec![]),
        (3, vec![first, &Event::ALL[..3], last], 1, vec![2]),
        (2, vec![first, &Event::ALL[..3], last, &Event::ALL[..2], &Event::ALL[2..3]], 3, vec![2, 4]),
    ];
    for (free, groups, together, apart) in table {
        let kernel = FakeKernel::with_room(free, willing);
        let say = |group: usize, now: &mut [u64; 4], more: [u64; 4]| {
            for (count, more) in now.iter_mut().zip(more) {
                *count += more;
            }
            let of = |event: &Event| now[*event as usize];
            let counts: Vec<u64> = groups[group].iter().map(of).collect();
            kernel.will_read(group, &counts, (1000 + now[0], 1000 + now[0]));
        };
        let mut pmu = Pmu::open(None);
        let mut now = [0; 4];
        for _ in 0..2 * 33 {
            say(together, &mut now, [0; 4]);
            say(together, &mut now, [400, 90, 20, 1]);
        }
        count_the_kernels(&mut now, |now, counts| say(together, now, counts));
        for _ in 0..5 {
            for calls in [32, 0] {
                say(together, &mut now, [0; 4]);
                say(together, &mut now, [400, 90 + 30 * calls, 20, 1]);
            }
        }
        for group in apart {
            count_the_kernels(&mut now, |now, counts| say(group, now, counts));
        }
        let mut window = Window::reserve().expect("reserves");
        pmu.check(&mut Clock::new(&mut window).expect("maps"));
        for event in Event::ALL {
            assert!(
                is_believed(pmu.states(), event),
                "{free}: {:?}",
                pmu.states()
            );
        }
        let usage = pmu.usage().expect("they are believed");
        assert_eq!(usage.together, groups[together], "{free}");
        assert_eq!(usage.together.len() + usage.apart.len(), 4, "{free}");
    }
}

/// Has a group read what it read on a machine that is elsewhere, phase by phase: however often it is read here.
fn play(kernel: &FakeKernel, held: &Held, empty: &[Vec<u64>], call: Option<f64>) {
    /// What an entry takes of each event.
    const ENTRY: f64 = 10_000.0;
    /// Pairs of readings with nothing between them, in either way.
    const PAIRS: usize = 2 * 33;
    let group = held.leaders - 1;
    let none = vec![0.0; held.members.len()];
    let (mut now, mut times) = (vec![0; none.len()], (0, 0));
    let mut say = |more: &[f64], missed_ns: u64| {
        for (count, more) in now.iter_mut().zip(more) {
            *count += *more as u64;
        }
        times = (times.0 + 1000 + missed_ns, times.1 + 1000);
        kernel.will_read(group, &now, times);
    };
    let entered =
        |counts: &[f64]| -> Vec<f64> { counts.iter().map(|count| ENTRY + count).collect() };
    if !held.has_run {
        for reading in 1..=2 * (2 * PAIRS as u64) {
            kernel.will_read(group, &vec![0; none.len()], (1000 * reading, 0));
        }
    }
    let Some(tries) = &held.tries else { return };
    for pair in empty
        .iter()
        .cycle()
        .take(if held.is_apart { 0 } else { PAIRS })
    {
        say(&none, 0);
        say(
            &pair.iter().map(|count| *count as f64).collect::<Vec<_>>(),
            0,
        );
    }
    for _ in 0..tries.refused {
        say(&none, 0);
        say(&none, 500);
    }
    for counts in tries.counts.iter().flatten() {
        for counts in [&none, counts] {
            say(&none, 0);
            say(&entered(counts), 0);
        }
    }
    let place = held
        .members
        .iter()
        .position(|event| *event == Event::Instructions);
    let (Some(place), Some(call)) = (place, call) else {
        return;
    };
    for calls in [32.0, 0.0].repeat(5) {
        let mut counts = none.clone();
        counts[place] = calls * call;
        say(&none, 0);
        say(&entered(&counts), 0);
    }
}

/// The kernel's list of PMUs as a bundle has it, in a folder.
fn listed_in(bundle: &Value, folder: &Path) -> CorePmus {
    for (file, text) in bundle["devices"].as_object().into_iter().flatten() {
        let path = folder.join(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        fs::write(path, text.as_str().expect("a text")).expect("writes");
    }
    CorePmus::below(folder)
}

/// Each bundle that was contributed says what has to be found on its machine: `believed`, or words of the reason.
#[test]
fn every_bundle_is_replayed_from_its_openings_to_its_judgement() {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pmu");
    let mut seen = 0;
    for entry in fs::read_dir(fixtures).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("readable");
        let bundle: Value = serde_json::from_str(&text).expect("a bundle");
        let counted = |name: &str| bundle["counted"][name].clone();
        let openings = serde_json::from_value(counted("openings"));
        let mut openings: Vec<group::Opening> = openings.expect("what was asked");
        let held: Vec<Held> = serde_json::from_value(counted("held")).expect("groups");
        let empty = serde_json::from_value::<Vec<Option<Vec<u64>>>>(counted("empty"));
        let empty: Vec<Vec<u64>> = empty.expect("pairs").into_iter().flatten().collect();
        let file = path.display().to_string();
        let is_counted = |one: &group::Opening| one.kind != SOFTWARE && one.errno.is_none();
        let surroundings = Surroundings {
            has_pmu: openings.iter().any(is_counted),
            ..Surroundings::default()
        };
        let kernel = FakeKernel::install(move |asked| {
            let asks = (
                asked.kind,
                asked.code,
                asked.is_member,
                asked.is_without_guests,
            );
            let is_it = |one: &group::Opening| {
                (one.kind, one.code, one.is_member, one.is_without_guests) == asks
            };
            let place = openings.iter().position(is_it);
            let place = place.unwrap_or_else(|| panic!("{file}: nothing is recorded of {asked:?}"));
            openings.remove(place).errno
        });
        for held in &held {
            play(&kernel, held, &empty, counted("call").as_f64());
        }
        let folder =
            std::env::temp_dir().join(format!("dispatchlab-bundle-{}", std::process::id()));
        let cores = listed_in(&bundle, &folder);
        let cpu = bundle["cpu"].as_u64().map(|cpu| cpu as u32);
        let mut pmu = Pmu::open_within(cores, surroundings, cpu);
        let _ = fs::remove_dir_all(&folder);
        let mut window = Window::reserve().expect("reserves");
        pmu.check(&mut Clock::new(&mut window).expect("maps"));
        assert_eq!(pmu.held(), held, "{path:?}");
        for (event, state) in pmu.states() {
            let known = bundle["judgement"][event.name()]
                .as_str()
                .expect("a judgement");
            match state {
                Ok(()) => assert_eq!(known, "believed", "{path:?}: {event:?}"),
                Err(why) => assert!(why.reason.contains(known), "{path:?}: {event:?}: {why}"),
            }
        }
        assert_eq!(pmu.states().len(), Event::ALL.len(), "{path:?}");
        seen += 1;
    }
    assert!(seen >= 5, "{seen} bundles");
}

#[test]
fn further_events_are_groups_of_their_own_of_which_one_counts_at_a_time() {
    let kernel = FakeKernel::install(|opening| (opening.code == 3).then_some(libc::ENOENT));
    let names = ["r1c4", "cache-misses", "cs", "faults"].map(String::from);
    let mut further = Further::open(&names, None);
    let switches = Opening {
        counts_kernel: true,
        ..alone(SOFTWARE, 3)
    };
    let open = |opening: Opening| Asked::Open(opening, None);
    let refused = |opening: Opening| Asked::Open(opening, Some(libc::ENOENT));
    let on_and_off = |at: usize| {
        [
            Asked::EnableMember(at),
            Asked::Enable(at),
            Asked::Disable(at),
        ]
    };
    let group = |at: usize, kind, code| {
        let openings = [
            alone(kind, code),
            alone(SOFTWARE, DUMMY),
            member(kind, code),
        ];
        [openings.map(open), on_and_off(at)].concat()
    };
    let expected = [
        group(0, RAW, 0x1c4),
        // PERF_COUNT_HW_CACHE_MISSES and PERF_COUNT_SW_CONTEXT_SWITCHES are both 3.
        vec![refused(alone(HARDWARE, 3)), refused(switches)],
        group(1, SOFTWARE, 2),
    ]
    .concat();
    assert_eq!(kernel.asked(), expected);
    let states = further.states();
    let names: Vec<&str> = states.iter().map(|(name, _)| &name[..]).collect();
    assert_eq!(
        names,
        ["r1c4", "cache-misses", "context-switches", "page-faults"]
    );
    assert!(states[0].1.is_ok() && states[3].1.is_ok());
    let reason = |at: usize| states[at].1.clone().expect_err("refused").reason;
    assert!(reason(1).ends_with("ENOENT") && reason(2).ends_with("ENOENT"));
    for (_, mut turn) in further.counted() {
        turn.begin().expect("switches on");
        turn.end().expect("switches off");
    }
    let switched = kernel.asked().split_off(expected.len());
    assert_eq!(switched, [on_and_off(0), on_and_off(1)].concat());
}

#[test]
fn of_an_event_with_several_codes_the_first_one_counts_that_counts_what_its_name_says() {
    let kernel = FakeKernel::install(|opening| (opening.code == 1).then_some(libc::ENOENT));
    // The second code opens and counts nothing; the third counts two returns a turn of the loop that has them.
    for (group, returns) in [(0, 0), (1, 2)] {
        let (mut count, mut ns) = (0, 0);
        let mut say = |more: u64| {
            (count, ns) = (count + more, ns + 1000);
            kernel.will_read(group, &[count], (ns, ns));
        };
        for of_a_turn in [[0; 15].as_slice(), &[returns; 5]].concat() {
            for turns in [8, 2008] {
                say(0);
                say(turns * of_a_turn);
            }
        }
    }
    let event = Countable {
        name: "returns".into(),
        asked: Ok(raw(1)),
        by: CountedIn::Hardware,
        unit: "count",
        known: Some(Known::Returns),
        others: [2, 3, 4].map(raw).to_vec(),
    };
    let mut further = Further::of(vec![event.clone()], None);
    let mut window = Window::reserve().expect("reserves");
    let mut clock = Clock::new(&mut window).expect("maps");
    further.check(&mut clock, &mut window);
    assert!(further.states()[0].1.is_ok(), "{:?}", further.states());
    let codes = kernel.openings().into_iter().filter(|one| one.kind == RAW);
    let codes: Vec<u64> = codes.map(|one| one.code).collect();
    assert_eq!(
        codes,
        [1, 2, 2, 3, 3],
        "alone, and as the member of a group"
    );
    // Where none does, the first that opens is what is spoken of.
    drop(kernel);
    let kernel = FakeKernel::install(|opening| {
        let is_another = opening.kind == RAW && opening.code != 2;
        is_another.then_some(libc::ENOENT)
    });
    for reading in 1..=80 {
        kernel.will_read(0, &[7], (reading, reading));
    }
    let mut further = Further::of(vec![event], None);
    further.check(&mut clock, &mut window);
    let why = further.states()[0]
        .1
        .clone()
        .expect_err("it counts nothing");
    assert!(
        why.reason.contains("counted 0, 0, 0 and 0 in four loops"),
        "{why}"
    );
}

#[test]
fn no_event_of_the_cpu_is_believed_where_its_counters_are_not() {
    let _kernel = FakeKernel::install(willing);
    let mut further = Further::open(&["r1".to_string(), "faults".to_string()], None);
    assert!(further.has_hardware());
    let pmu = Pmu::open(None);
    further.distrust_hardware(pmu.distrust().expect("it was not checked"));
    let counted: Vec<String> = further
        .counted()
        .map(|(name, _)| name.to_string())
        .collect();
    assert_eq!(counted, ["page-faults"], "that is the kernel's own");
}

/// What the fake PMU reads in the check: readings with nothing between; two entries of each kernel, five times, each
/// with a reading in front and one behind; readings around calls of the kernel.
fn pass_the_check(kernel: &FakeKernel, now: &mut [u64; 4]) {
    for _ in 0..2 * 33 {
        say(kernel, now, [0; 4]);
        say(kernel, now, [400, 90, 20, 1]);
    }
    count_the_kernels(now, |now, counts| say(kernel, now, counts));
    for _ in 0..5 {
        for calls in [32, 0] {
            say(kernel, now, [0; 4]);
            say(
                kernel,
                now,
                [400 + 300 * calls, 90 + 30 * calls, 20 + 4 * calls, 1],
            );
        }
    }
}

/// Five tries of the known loops.
fn count_the_kernels(now: &mut [u64; 4], mut say: impl FnMut(&mut [u64; 4], [u64; 4])) {
    const FEW: u64 = 8;
    // Cycles, instructions, branches and misses of a turn, and misses of all.
    const KERNELS: [([u64; 3], u64); 3] =
        [([50, 55, 3], 0), ([13, 6, 2], 1000), ([30, 10, 3], 1750)];
    for _ in 0..5 {
        for ([cycles, instructions, branches], misses) in KERNELS {
            for turns in [FEW, FEW + 2000] {
                say(now, [0; 4]);
                let misses = if turns > FEW { misses } else { 0 };
                let counts = [
                    cycles * turns,
                    instructions * turns,
                    branches * turns,
                    misses,
                ];
                say(now, counts);
            }
        }
    }
}

/// The next reading: so much more of each.
fn say(kernel: &FakeKernel, now: &mut [u64; 4], more: [u64; 4]) {
    for (count, more) in now.iter_mut().zip(more) {
        *count += more;
    }
    let ns = 1000 + now[0];
    kernel.will_read(0, now, (ns, ns));
}

#[test]
fn a_row_has_what_the_fake_pmu_counted_less_what_entering_takes() {
    const OVERHEAD: [u64; 4] = [400, 90, 20, 1];
    /// Of an iteration: the mean of misses is a half.
    const EVEN: [u64; 4] = [7, 15, 3, 0];
    const ODD: [u64; 4] = [7, 15, 3, 1];
    const ITERATIONS: u64 = 512;
    let kernel = FakeKernel::install(willing);
    let mut pmu = Pmu::open(None);
    let mut now = [0; 4];
    pass_the_check(&kernel, &mut now);
    for entry in 0..4000 {
        say(&kernel, &mut now, [0; 4]);
        let is_empty = entry < 501;
        let each = if entry % 2 == 0 { EVEN } else { ODD };
        let iterations = if is_empty { 0 } else { ITERATIONS };
        let counts = std::array::from_fn(|at| OVERHEAD[at] + iterations * each[at]);
        say(&kernel, &mut now, counts);
    }
    let mut window = Window::reserve().expect("reserves");
    let mut clock = Clock::new(&mut window).expect("maps");
    pmu.check(&mut clock);
    for event in Event::ALL {
        assert!(is_believed(pmu.states(), event), "{:?}", pmu.states());
    }
    let text = "body:\n nop\n";
    let template = Template::parse("nop", Origin::Embedded, text.into()).expect("parses");
    let scenario = Scenario::bind(Arc::new(template), &[]).expect("binds");
    let prepared = prepare(&scenario).expect("links");
    let plan = Plan {
        time_ms: 0.001,
        // Chunks stay as long as the script has them.
        run_ms: 0.0,
        placements: crate::job::placements(1),
        counters: Counters::Pmu,
        ..Plan::default()
    };
    let mut stage = Stage::new(&prepared.row, &plan, &mut window).expect("maps");
    let page = signals::install(SharedPage::new().expect("maps"), 1).expect("installs");
    let mut ground = Ground::new(page).expect("maps");
    let visits = stage.walk(ITERATIONS, 1).expect("maps");
    stage.settle(&mut ground).expect("settles");
    let whole = |_: &mut Stage<'_>, _: &mut Ground| Ok(Run::Whole);
    stage.set_up(&mut ground, &visits, whole).expect("sets up");
    // As wide as can be, so that no chunk is taken for a disturbed one and waited for.
    let mut scale = Scale {
        tsc_hz: 2.5e9,
        overhead_ticks: clock.overhead_ticks(),
        chain_cycles: clock.chain_cycles(),
        best_width: u64::MAX,
    };
    let mut source = PmuSource {
        pmu: &mut pmu,
        clock: &mut clock,
    };
    let row = Proved {
        index: 0,
        stage,
        visits,
        chunk: ITERATIONS,
        direct_branches: 0.0,
        uninferred: Vec::new(),
    };
    let timed = timing::time_rows(&mut [row], &mut ground, &mut source, &mut scale, &plan);
    let timing = timed.into_iter().next().expect("a row").expect("times");
    let counting = timing.counting.as_ref().expect("the group was asked");
    assert_eq!((counting.refused, &counting.why), (0, &None));
    for (at, event) in Event::ALL.into_iter().enumerate() {
        assert_eq!(
            counting.overhead.get(event),
            Some(OVERHEAD[at]),
            "{event:?}"
        );
    }
    let summary = stats::summarize(&timing, 1);
    let value = |event: Event| summary.events[event as usize].expect("a number").value;
    assert_eq!(summary.cycles.value, 7.0);
    assert_eq!(value(Event::Instructions), 15.0);
    assert_eq!(value(Event::Branches), 3.0);
    // Of every second chunk, and of the others none; a chunk that the machine disturbs is left out of
    // the value.
    let misses = value(Event::BranchMisses);
    assert!((0.0..=1.0).contains(&misses), "{misses}");
    let event = Event::BranchMisses;
    let chunks = timing.images[0].chunks.iter();
    let counted: Vec<u64> = chunks
        .filter_map(|chunk| chunk.events?.get(event))
        .collect();
    let without = OVERHEAD[event as usize] * counted.len() as u64;
    let iterations = ITERATIONS * counted.len() as u64;
    assert_eq!(2 * (counted.iter().sum::<u64>() - without), iterations);
    assert!(!counted.is_empty());
}
