//! Machines and batch systems that leave little: limits, no /proc, a home that cannot be written.
//!
//! Correct means: it runs, or it names the limit that is too small and the number that would do; and that number
//! does.

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{self, Run, command, fresh, run_in, template, unfolded};

/// One row that is expanded and one that is not, timed as briefly as can be.
const NAMES: [&str; 6] = [
    "run",
    "good.asm",
    "direct_call",
    "--quick",
    "--placements",
    "1",
];

/// Runs them in a shell that does something first.
fn after(place: &Path, first: &str) -> Run {
    let output = Command::new("bash")
        .args([
            "-c",
            &format!("{first}; exec \"$0\" \"$@\""),
            env!("CARGO_BIN_EXE_dispatchlab"),
        ])
        .args(NAMES)
        .current_dir(place)
        .env("XDG_STATE_HOME", common::state_home("run"))
        .stdin(Stdio::null())
        .output()
        .expect("runs");
    Run {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn a_limit_that_is_too_small_is_named_with_one_that_would_do() {
    let place = fresh("limits");
    template(
        &place,
        "good",
        ";! result = \"eax\"\n;! expect = 1\nbody:\n mov eax, 1\n",
    );
    #[rustfmt::skip] // a table: what does, what does not, and what is said of that
    let limits = [
        ("ulimit -v 524288",  "ulimit -v 65536", "`ulimit -v` is 65536 KiB; 524288 would do"),
        ("ulimit -v 4194304", "ulimit -n 10",    "`ulimit -n` is 10; 32 would do"),
        ("ulimit -n 32",      "ulimit -n 8",     "`ulimit -n` is 8; 32 would do"),
        ("ulimit -f 4",       "ulimit -f 0",     "`ulimit -f` is 0 KiB; 4 would do"),
        ("ulimit -d 65536",   "ulimit -d 8000",  "the worker got no more memory: `ulimit -d` is 8000 KiB; 65536 would do"),
    ];
    for (enough, too_small, words) in limits {
        let run = after(&place, enough);
        assert_eq!(run.code, 0, "{enough}: {}{}", run.stdout, run.stderr);
        let run = after(&place, too_small);
        assert_eq!(run.code, 4, "{too_small}: {}{}", run.stdout, run.stderr);
        assert!(
            unfolded(&run.stdout).contains(words),
            "{too_small}: {}",
            run.stdout
        );
        assert!(
            !run.stdout.contains("look for a loop"),
            "{too_small}: {}",
            run.stdout
        );
        // No worker has come so far.
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(!said.contains("not pinned"), "{too_small}: {said}");
    }
}

#[test]
fn where_there_is_no_memory_for_the_program_itself_its_limit_is_named() {
    let place = fresh("no_memory");
    template(&place, "good", "body:\n nop\n");
    let run = after(&place, "ulimit -d 2000");
    assert_eq!(run.code, 4, "{}", run.stdout);
    let said = run.said();
    assert!(
        said.contains("`ulimit -d` is 2000 KiB; 65536 would do for small rows"),
        "{said}"
    );
    assert!(!said.contains("grows without end"), "{said}");
}

#[test]
fn an_expansion_that_a_limit_ends_is_not_the_templates_fault() {
    let place = fresh("expansion_limits");
    let endless = "{% for i in range(100000) %}{% set x = range(100000)|sort %}{% endfor %}";
    template(
        &place,
        "endless",
        &format!(";! expand = true\nbody:\n{endless}\n nop\n"),
    );
    let large = "{% set ns = namespace(s=\"x\") %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}";
    template(
        &place,
        "large",
        &format!(";! expand = true\nbody:\n{large}\n nop\n"),
    );
    let run = |first: &str, name: &str| {
        let run = after(
            &place,
            &format!("{first}; set -- run {name}.asm --counters none"),
        );
        assert_eq!(run.code, 3, "{}{}", run.stdout, run.stderr);
        unfolded(&run.stdout)
    };
    for limit in ["1", "3"] {
        let said = run(&format!("ulimit -t {limit}"), "endless");
        assert!(
            said.contains(&format!(
                "`ulimit -t` is {limit} s; 60 would do; the template is not to blame"
            )),
            "{said}"
        );
    }
    let said = run("ulimit -d 200000", "large");
    assert!(
        said.contains(
            "`ulimit -d` is 200000 KiB; 400000 is the next to try; the template is not to blame"
        ),
        "{said}"
    );
    // Without a limit it is its own.
    let said = run("true", "large");
    assert!(
        said.contains("the expansion takes more than 1024 MiB"),
        "{said}"
    );
}

#[test]
fn the_first_thread_needs_no_more_than_64_kib_of_stack() {
    let place = fresh("stack");
    template(&place, "good", "body:\n nop\n");
    for first in ["ulimit -s 64", "ulimit -s 64; set -- show itab_call --heap"] {
        let run = after(&place, first);
        assert_eq!(run.code, 0, "{first}: {}{}", run.stdout, run.stderr);
    }
}

/// Whom the kernel lets do everything.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// A user who may not.
const NOBODY: u32 = 65_534;

#[test]
fn a_user_who_may_start_no_further_process_is_told_how_many_would_do() {
    if is_root() {
        let place = fresh("processes");
        template(&place, "good", "body:\n nop\n");
        // The user must reach the program and the template.
        let program = Path::new("/tmp").join(format!("dispatchlab-{}", std::process::id()));
        std::fs::copy(env!("CARGO_BIN_EXE_dispatchlab"), &program).expect("copies");
        let mut command = Command::new("bash");
        command
            .args([
                "-c",
                "ulimit -u 1; exec \"$0\" run - --quick",
                program.to_str().expect("UTF-8"),
            ])
            .stdin(std::fs::File::open(place.join("good.asm")).expect("opens"))
            .current_dir("/")
            .uid(NOBODY);
        let output = command.output().expect("runs");
        let said = unfolded(&String::from_utf8_lossy(&output.stdout));
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{said} {stderr}");
        assert!(
            said.contains("`ulimit -u` is 1 for all processes of this user; "),
            "{said}"
        );
        assert!(said.contains(" would do"), "{said}");
        // And it does.
        let (_, rest) = said.split_once("of this user; ").expect("a number");
        let enough = rest.split(' ').next().expect("a number").to_string();
        let mut command = Command::new("bash");
        command
            .args([
                "-c",
                &format!("ulimit -u {enough}; exec \"$0\" run inline --quick"),
            ])
            .arg(&program)
            .current_dir("/")
            .uid(NOBODY);
        let output = command.output().expect("runs");
        let _ = std::fs::remove_file(&program);
        assert_eq!(output.status.code(), Some(0), "{enough}: {output:?}");
    }
}

#[test]
fn processor_time_that_is_used_up_is_told_although_the_limit_is_a_hard_one() {
    let place = fresh("processor_time");
    template(&place, "good", "body:\n nop\n");
    let run = after(
        &place,
        "ulimit -t 2; set -- run good.asm good.asm[align=1] --time 3000 --placements 1 --json",
    );
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("raise `ulimit -t`"), "{}", run.stdout);
    // A second leaves no room for a softer limit, and the kernel kills without a word.
    let run = after(
        &place,
        "ulimit -t 1; set -- run good.asm --time 3000 --placements 1 --json",
    );
    assert_eq!(run.code, 4, "{}{}", run.stdout, run.stderr);
    assert!(
        run.stdout.contains("`ulimit -t` is 1 s for each process"),
        "{}",
        run.stdout
    );
}

#[test]
fn hard_limits_that_are_lower_than_ours_stay() {
    let place = fresh("lower");
    template(&place, "good", "body:\n nop\n");
    // Less than what a worker bounds itself to, and no core files: raising either is not permitted.
    let run = after(
        &place,
        "ulimit -Hv 8388608; ulimit -Sv 6291456; ulimit -c 0",
    );
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_machine_without_proc_and_sys_measures() {
    let place = fresh("no_proc");
    template(&place, "good", "body:\n nop\n");
    let hide = "mount -t tmpfs none /proc && mount -t tmpfs none /sys";
    let tried = Command::new("unshare")
        .args(["-rm", "sh", "-c", hide])
        .output();
    // Where a container may not mount, there is nothing to hide it with.
    if tried.is_ok_and(|tried| tried.status.success()) {
        let script = format!("{hide} && exec \"$0\" \"$@\"");
        let output = Command::new("unshare")
            .args([
                "-rm",
                "sh",
                "-c",
                &script,
                env!("CARGO_BIN_EXE_dispatchlab"),
            ])
            .args(NAMES)
            .current_dir(&place)
            .output()
            .expect("runs");
        let said = format!("{output:?}");
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("direct_call"),
            "{said}"
        );
    }
}

#[test]
fn a_home_that_cannot_be_written_takes_nothing_from_a_run() {
    let place = fresh("home");
    template(&place, "good", "body:\n nop\n");
    let run = |name: &str| {
        let output = command(&place, &["run", "good.asm", "--counters", "none"])
            .env_remove("XDG_STATE_HOME")
            .env("HOME", name)
            .output()
            .expect("runs");
        assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
        assert!(output.stderr.is_empty(), "{name}: {output:?}");
    };
    // No folder can be made in either.
    run("/proc");
    run("/dev/null");
}

#[test]
fn a_state_file_that_is_none_is_said_once_and_a_run_goes_on() {
    let place = fresh("state");
    template(&place, "good", "body:\n nop\n");
    let folder = place.join("s/dispatchlab");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("doctor.json");
    let run = |make: &dyn Fn(), words: &str| {
        let _ = std::fs::remove_file(&file);
        make();
        let output = command(&place, &["run", "good.asm", "--counters", "none"])
            .env("XDG_STATE_HOME", place.join("s"))
            .output()
            .expect("runs");
        let said = unfolded(&String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert_eq!(
            said.matches("warning:").count(),
            usize::from(!words.is_empty()),
            "{said}"
        );
        assert!(said.contains(words), "{words}: {said}");
    };
    let write = |text: &str| std::fs::write(&file, text).expect("writes");
    run(
        &|| {
            Command::new("mkfifo").arg(&file).status().expect("mkfifo");
        },
        "no regular file",
    );
    run(
        &|| std::os::unix::fs::symlink("/dev/zero", &file).expect("links"),
        "no regular file",
    );
    run(&|| write(&"x".repeat((1 << 20) + 1)), "no small file");
    run(
        &|| write("{ \"schema\": 1, "),
        "`dispatchlab doctor` writes it anew",
    );
    run(&|| write("\u{202e}"), "`dispatchlab doctor` writes it anew");
    run(
        &|| write("{ \"schema\": 9999 }"),
        "another version wrote it (schema 9999, here 1)",
    );
    let link = |to: &str| std::os::unix::fs::symlink(to, &file).expect("links");
    run(&|| link("nowhere"), "a link that leads to no file");
    run(&|| link("doctor.json"), "a link that leads to no file");
    let _ = std::fs::remove_file(&file);
    std::fs::remove_dir(&folder).expect("removes");
    run(
        &|| std::fs::write(&folder, "").expect("writes"),
        "s/dispatchlab is a file where a folder has to be",
    );
    std::fs::remove_file(&folder).expect("removes");
    run(&|| {}, "");
    std::fs::create_dir_all(&folder).expect("a folder");
    // A folder in its place.
    std::fs::create_dir(&file).expect("a folder");
    let run = run_in(&place, &["run", "good.asm", "--counters", "none"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

/// Runs a command whose children come to a script when they are left alone (PR_SET_CHILD_SUBREAPER), and prints how many.
const LEFT: &str = "import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
os.waitpid(child.pid, 0)
left = 0
while True:
    try: os.waitpid(-1, 0)
    except ChildProcessError: break
    left += 1
print(left)
";

#[test]
fn no_child_is_left_to_be_waited_for_by_others() {
    let place = fresh("children");
    for arguments in [
        &["run", "itab_call", "--counters", "none"][..],
        &["show", "itab_call"],
        &["show", "itab_call", "-p", "targets=0"],
        &["step", "itab_call"],
        &[
            "compare",
            "direct_call",
            "itab_call",
            "--quick",
            "--time",
            "0.1",
        ],
    ] {
        let output = Command::new("python3")
            .args(["-c", LEFT, env!("CARGO_BIN_EXE_dispatchlab")])
            .args(arguments)
            .current_dir(&place)
            .env("XDG_STATE_HOME", common::state_home("run"))
            .output();
        let Ok(output) = output else {
            println!("skipped: there is no python3");
            return;
        };
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "0\n",
            "{arguments:?}: {output:?}"
        );
    }
}

#[test]
fn where_the_loader_has_no_descriptor_it_ends_the_program_and_with_one_more_it_does_not() {
    let place = fresh("descriptors");
    let list = |limit: u32| {
        // What this process happens to have handed down counts as well.
        let script =
            format!("exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-; ulimit -n {limit}; exec \"$0\" list");
        let mut bash = Command::new("bash");
        bash.args(["-c", &script, env!("CARGO_BIN_EXE_dispatchlab")]);
        bash.current_dir(&place)
            .output()
            .expect("runs")
            .status
            .code()
    };
    assert_eq!((list(3), list(4)), (Some(127), Some(0)));
}

/// Runs a command and tells the memory of the largest of its processes at its largest, in KiB.
const PEAK: &str = "import resource, subprocess, sys\n\
    status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode\n\
    print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";

#[test]
fn of_millions_of_objects_each_takes_no_more_than_48_bytes() {
    let peak = |objects: u64| -> Option<u64> {
        let output = Command::new("python3")
            .args(["-c", PEAK, env!("CARGO_BIN_EXE_dispatchlab"), "run"])
            .arg(format!("direct_call[objects={objects}]"))
            .args(["--quick", "--counters", "none"])
            .env("XDG_STATE_HOME", common::state_home("run"))
            .stdin(Stdio::null())
            .output()
            .ok()?;
        let told = String::from_utf8(output.stdout).expect("UTF-8");
        let (status, peak) = told.trim().split_once(' ').expect("two numbers");
        assert_eq!(status, "0", "{}", String::from_utf8_lossy(&output.stderr));
        Some(peak.parse().expect("KiB"))
    };
    const MORE: u64 = 1 << 21;
    // A walk in turn is as long as the objects are many.
    let (Some(few), Some(many)) = (peak(MORE), peak(2 * MORE)) else {
        eprintln!("skipped: there is no python3 here (package python3-minimal)");
        return;
    };
    let each = (many - few) as f64 * 1024.0 / MORE as f64;
    // Sixteen bytes are the object itself.
    assert!((16.0..=48.0).contains(&each), "{each} bytes");
}
