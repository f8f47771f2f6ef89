//! Go toolchains, and what they make of `benches/go/`.
//!
//! Correct means: a build is of the sources as they are but for the number of its layout and the
//! profile that names the calls of `guard` and `func_guard`, and it takes nothing from the network.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// A Go that is installed.
pub(crate) struct Toolchain {
    path: PathBuf,
    /// As `go version` has it, without `go`: 1.27.3.
    pub(crate) version: String,
    /// Its first two numbers, as templates have them: 1.27.
    pub(crate) release: String,
}

impl Toolchain {
    /// The `go` of the path, and those that DISPATCHLAB_GO names, or why there is none.
    pub(crate) fn installed() -> Result<Vec<Toolchain>, String> {
        let named = std::env::var_os("DISPATCHLAB_GO").unwrap_or_default();
        let candidates: Vec<PathBuf> = [PathBuf::from("go")]
            .into_iter()
            .chain(std::env::split_paths(&named))
            .collect();
        let mut found: Vec<Toolchain> = Vec::new();
        for path in candidates {
            let Ok(output) = Command::new(&path)
                .arg("version")
                .env("GOTOOLCHAIN", "local")
                .output()
            else {
                continue;
            };
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let Some(version) = said
                .split_whitespace()
                .find_map(|word| word.strip_prefix("go1."))
            else {
                continue;
            };
            let minor = version.split(['.', '-']).next().unwrap_or(version);
            let one = Toolchain {
                path,
                version: format!("1.{version}"),
                release: format!("1.{minor}"),
            };
            if found.iter().all(|other| other.version != one.version) {
                found.push(one);
            }
        }
        if found.is_empty() {
            return Err(
                "there is no Go: install `golang`, or name one in DISPATCHLAB_GO (several with `:` between)"
                    .to_string(),
            );
        }
        Ok(found)
    }

    fn minor(&self) -> u32 {
        self.release[2..].parse().unwrap_or(0)
    }

    fn build_one(&self, folder: &Path, layout: usize) -> Result<Program, String> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/go");
        let at = folder.join(format!("{}-{layout}", self.version));
        let failed = |what: &str, error: std::io::Error| format!("{what}: {error}");
        fs::create_dir_all(&at).map_err(|error| failed("its folder", error))?;
        let files = fs::read_dir(&sources).map_err(|error| failed("benches/go", error))?;
        for file in files.flatten() {
            fs::copy(file.path(), at.join(file.file_name()))
                .map_err(|error| failed("a source", error))?;
        }
        fs::write(
            at.join("layout_number.go"),
            format!("package main\n\nconst layout = {layout}\n"),
        )
        .map_err(|error| failed("its layout", error))?;
        let mut command = Command::new(&self.path);
        command
            .args(["build", "-o", "fidelity"])
            .current_dir(&at)
            .envs([
                ("GOTOOLCHAIN", "local"),
                ("GO111MODULE", "on"),
                ("GOPROXY", "off"),
                ("CGO_ENABLED", "0"),
                ("GOFLAGS", ""),
                ("GOAMD64", "v1"),
            ]);
        if self.has_profiles() {
            let profile = at.join("profile.txt");
            fs::write(&profile, PROFILE).map_err(|error| failed("its profile", error))?;
            command.arg(format!("-gcflags=-pgoprofile={}", profile.display()));
        }
        if std::env::var_os("HOME").is_none() && std::env::var_os("GOCACHE").is_none() {
            command.env("GOCACHE", folder.join("cache"));
        }
        let output = command
            .output()
            .map_err(|error| failed("go build", error))?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(Program {
            path: at.join("fidelity"),
        })
    }

    /// Since Go 1.23 the compiler takes a profile as text, so that none has to be recorded.
    pub(crate) fn has_profiles(&self) -> bool {
        self.minor() >= 23
    }
}

/// A profile as the compiler reads it: caller, callee, the line of the call counted from `func`, and
/// how often.
const PROFILE: &str = "GO PREPROFILE V1\nmain.guard\nmain.(*G).Id\n7 1000000\n\
     main.funcGuard\nmain.plainInline\n7 1000000\n";

/// As many as benches/go/layout.go has: 11 bytes apart they leave no more than 9 between two places of a line of 64.
pub(crate) const ALL_LAYOUTS: usize = 16;

/// The builds of a toolchain, each with its loops at other places: some for all rows, and more for those that are apart.
pub(crate) struct Layouts<'a> {
    toolchain: &'a Toolchain,
    folder: &'a Path,
    few: usize,
    programs: Vec<Program>,
}

impl<'a> Layouts<'a> {
    /// Builds the first ones.
    pub(crate) fn build(
        toolchain: &'a Toolchain,
        folder: &'a Path,
        few: usize,
    ) -> Result<Layouts<'a>, String> {
        let mut layouts = Layouts {
            toolchain,
            folder,
            few,
            programs: Vec::new(),
        };
        layouts.up_to(few)?;
        Ok(layouts)
    }

    /// Those for all rows.
    pub(crate) fn few(&self) -> &[Program] {
        &self.programs[..self.few]
    }

    /// All of them, built now where they were not yet.
    pub(crate) fn all(&mut self) -> Result<&[Program], String> {
        self.up_to(ALL_LAYOUTS)
    }

    fn up_to(&mut self, count: usize) -> Result<&[Program], String> {
        while self.programs.len() < count {
            let layout = self.programs.len();
            let program = self.toolchain.build_one(self.folder, layout)?;
            self.programs.push(program);
        }
        Ok(&self.programs)
    }
}

/// A build.
pub(crate) struct Program {
    path: PathBuf,
}

/// A chunk that was timed.
pub(crate) struct Chunk {
    pub(crate) cycles: f64,
    /// Which part of the walk it went through.
    pub(crate) segment: usize,
    /// Cycles of four independent additions beside it, which a neighbour on the core raises.
    pub(crate) width: f64,
}

impl Program {
    fn command(&self, mode: &str, kernel: &str) -> Command {
        let mut command = Command::new(&self.path);
        command
            .args([mode, kernel])
            .env("GODEBUG", "asyncpreemptoff=1")
            .stderr(Stdio::inherit());
        command
    }

    /// The names of its kernels.
    pub(crate) fn kernels(&self) -> Vec<String> {
        let output = Command::new(&self.path)
            .arg("list")
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        said.lines().map(str::to_string).collect()
    }

    /// So many chunks of a kernel.
    pub(crate) fn time(&self, kernel: &str, chunks: usize) -> Result<Vec<Chunk>, String> {
        let output = self
            .command("time", kernel)
            .arg(chunks.to_string())
            .stderr(Stdio::piped())
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_string());
        }
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let chunk = |line: &str| -> Option<Chunk> {
            let mut words = line.split(' ');
            Some(Chunk {
                cycles: words.next()?.parse().ok()?,
                segment: words.next()?.parse().ok()?,
                width: words.next()?.parse().ok()?,
            })
        };
        said.lines()
            .map(|line| chunk(line).ok_or(format!("it printed `{line}`")))
            .collect()
    }

    /// A process that stops itself in front of a kernel, to be stepped, and the kernel's address.
    pub(crate) fn stopping(&self, kernel: &str) -> Result<(Stopping, u64), String> {
        let mut child = self
            .command("step", kernel)
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let output = child.stdout.take().expect("it is piped");
        let stopping = Stopping {
            child,
            traced: Vec::new(),
        };
        let mut line = String::new();
        BufReader::new(output)
            .read_line(&mut line)
            .map_err(|error| error.to_string())?;
        match line.trim().parse() {
            Ok(entry) => Ok((stopping, entry)),
            Err(_) => Err("it did not come to the kernel".to_string()),
        }
    }
}

/// A process that is ended when nobody looks at it any more.
pub(crate) struct Stopping {
    child: Child,
    /// Those of its threads that this process traces.
    pub(crate) traced: Vec<Pid>,
}

impl Stopping {
    pub(crate) fn process(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        // It may have ended by itself. Each thread that is traced has to be waited for, the process last.
        let _ = self.child.kill();
        let process = self.process();
        for &thread in self.traced.iter().filter(|thread| **thread != process) {
            while let Ok(WaitStatus::Stopped(..)) = waitpid(thread, Some(WaitPidFlag::__WALL)) {}
        }
        let _ = self.child.wait();
    }
}
