//! The processes that run jobs with mutants: a runner that serves one job after the other, or a process for each test.
//!
//! Mutants leak, hang and die. So each process has a memory limit, each job has a time limit, and anything but a normal
//! answer means a new process.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use etcdsim_mutants_switch::{Ending, PREFIX, VARIABLE};

use crate::error::Error;
use crate::stopwatch::Stopwatch;

/// How long a runner may take to read its scenarios.
const START_LIMIT: Duration = Duration::from_secs(120);

/// What runs the jobs.
#[derive(Clone, Debug)]
pub struct Harness {
    kind: HarnessKind,
    /// Where the processes work.
    folder: PathBuf,
    /// The most memory of a process.
    memory_mib: u64,
    /// The names of the jobs.
    names: Vec<String>,
}

#[derive(Clone, Debug)]
enum HarnessKind {
    /// A program that serves jobs, and its arguments.
    Runner(PathBuf, Vec<String>),
    /// For each job a program and the name of a test in it; and the folder for records.
    Tests(Vec<(PathBuf, String)>, PathBuf),
}

/// What to do with a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Run it as it is.
    Original,
    /// Run it as it is, and note which mutants it reaches.
    Record,
    /// Run it with a mutant.
    Mutant(u32),
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It ended by itself.
    As(Ending),
    /// It took longer than its limit.
    Hung,
    /// Its process died.
    Died,
}

/// A job that was run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub ended: Ended,
    /// A digest of its steps.
    pub trace: String,
    /// The oracle or test that found something.
    pub by: String,
    /// The whole verdict.
    pub verdict: String,
    /// What was found.
    pub says: String,
    /// In a record: the mutants that were reached, and whether their values would have differed.
    pub reached: Vec<(u32, bool)>,
    /// How long it took.
    pub took: Duration,
}

impl Ran {
    fn new(ended: Ended, says: String, took: Duration) -> Ran {
        let empty = String::new;
        Ran { ended, trace: empty(), by: empty(), verdict: empty(), says, reached: Vec::new(), took }
    }
}

impl Harness {
    /// A runner, which is started once to learn its jobs.
    ///
    /// # Errors
    /// If it does not start. Its reason is then on stderr.
    pub fn runner(
        program: PathBuf,
        arguments: Vec<String>,
        folder: PathBuf,
        memory_mib: u64,
    ) -> Result<Harness, Error> {
        let kind = HarnessKind::Runner(program, arguments);
        let mut harness = Harness { kind, folder, memory_mib, names: Vec::new() };
        let (_, names) = Worker::start(&harness, Stdio::inherit())?;
        if names.is_empty() {
            return Err(Error::Runner("there is nothing to run: ask for at least one seed".into()));
        }
        harness.names = names;
        Ok(harness)
    }

    /// The tests in programs built with libtest, or with a harness that takes the same arguments.
    ///
    /// # Errors
    /// If a program does not list its tests.
    pub fn tests(
        programs: &[PathBuf],
        folder: PathBuf,
        records: &Path,
        memory_mib: u64,
    ) -> Result<Harness, Error> {
        fs::create_dir_all(records).map_err(Error::file("make", records))?;
        let (mut tests, mut names) = (Vec::new(), Vec::new());
        for program in programs {
            let start = |error| Error::Start { program: program.display().to_string(), error };
            let mut command = Command::new(program);
            command.args(["--list", "--format", "terse"]).current_dir(&folder);
            let output = command.output().map_err(start)?;
            for line in String::from_utf8_lossy(&output.stdout).lines() {
                let Some(test) = line.strip_suffix(": test") else { continue };
                tests.push((program.clone(), test.to_string()));
                names.push(test.to_string());
            }
        }
        if tests.is_empty() {
            return Err(Error::Runner("the package has no tests".into()));
        }
        let kind = HarnessKind::Tests(tests, records.to_path_buf());
        Ok(Harness { kind, folder, memory_mib, names })
    }

    /// The names of all jobs.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A command under the memory limit, which leaves no core file behind when it dies. The shell becomes the program,
    /// so that killing it kills the program. If the shell does not support a memory limit, there is none.
    fn limited(&self, program: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", r#"ulimit -c 0; ulimit -v "$0" 2>/dev/null; exec "$@""#]);
        command.arg((self.memory_mib * 1024).to_string()).arg(program).current_dir(&self.folder);
        // Mutants panic often, and nobody reads where.
        command.env("RUST_BACKTRACE", "0");
        command
    }
}

/// The processes of one thread.
#[derive(Debug)]
pub struct Session<'h> {
    harness: &'h Harness,
    worker: Option<Worker>,
}

impl<'h> Session<'h> {
    /// Nothing is started yet.
    pub fn new(harness: &'h Harness) -> Session<'h> {
        Session { harness, worker: None }
    }

    /// Runs a job.
    ///
    /// # Errors
    /// If a process cannot be started.
    pub fn run(&mut self, turn: Turn, job: usize, limit: Duration) -> Result<Ran, Error> {
        let (program, test, records) = match &self.harness.kind {
            HarnessKind::Runner(..) => return self.serve(turn, job, limit),
            HarnessKind::Tests(tests, records) => (&tests[job].0, &tests[job].1, records),
        };
        let record = records.join(format!("{job}"));
        let value = match turn {
            Turn::Original => "0".to_string(),
            Turn::Record => {
                // What an earlier record wrote would be counted again.
                let _ = fs::remove_file(&record);
                format!("record {}", record.display())
            }
            Turn::Mutant(number) => number.to_string(),
        };
        let mut command = self.harness.limited(program);
        command.args([test, "--exact"]).env(VARIABLE, value).stderr(Stdio::null());
        let stopwatch = Stopwatch::start();
        let mut process = Process::start(command)?;
        let ended = loop {
            match process.line(limit.saturating_sub(stopwatch.elapsed())) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Ok(Ran::new(Ended::Hung, String::new(), stopwatch.elapsed()));
                }
                Err(RecvTimeoutError::Disconnected) => break process.ended(),
            }
        };
        let (ended, says) = match ended {
            Some(status) if status.success() => (Ended::As(Ending::Held), String::new()),
            Some(status) if status.code().is_some() => {
                (Ended::As(Ending::Caught), "the test fails".to_string())
            }
            status => (Ended::Died, describe(status)),
        };
        let mut ran = Ran::new(ended, says, stopwatch.elapsed());
        if ended != Ended::As(Ending::Held) {
            ran.by = test.clone();
        }
        if turn == Turn::Record {
            ran.reached = parse_marks(&fs::read_to_string(&record).unwrap_or_default());
        }
        Ok(ran)
    }

    /// Runs a job in the process that serves.
    fn serve(&mut self, turn: Turn, job: usize, limit: Duration) -> Result<Ran, Error> {
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => Worker::start(self.harness, Stdio::null())?.0,
        };
        let stopwatch = Stopwatch::start();
        let request = match turn {
            Turn::Original => format!("run 0 {job}\n"),
            Turn::Record => format!("record {job}\n"),
            Turn::Mutant(number) => format!("run {number} {job}\n"),
        };
        // If the process is gone, its stdout says so.
        let _ = worker.stdin.write_all(request.as_bytes()).and_then(|()| worker.stdin.flush());
        let mut reached = Vec::new();
        loop {
            let line = match worker.process.line(limit.saturating_sub(stopwatch.elapsed())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    return Ok(Ran::new(Ended::Hung, String::new(), stopwatch.elapsed()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let says = describe(worker.process.ended());
                    return Ok(Ran::new(Ended::Died, says, stopwatch.elapsed()));
                }
            };
            let Some(line) = line.strip_prefix(PREFIX) else { continue };
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["reached", marks] => reached = parse_marks(marks),
                ["done", ending, trace, by, verdict, says] => {
                    let endings = [Ending::Held, Ending::Caught, Ending::Panicked, Ending::Broken];
                    let ending = endings.into_iter().find(|known| known.word() == ending);
                    let ending = ending.unwrap_or(Ending::Broken);
                    // After a panic nobody knows what is left of the process.
                    if matches!(ending, Ending::Held | Ending::Caught) {
                        self.worker = Some(worker);
                    }
                    let [trace, by, verdict, says] = [trace, by, verdict, says].map(str::to_string);
                    let took = stopwatch.elapsed();
                    return Ok(Ran { ended: Ended::As(ending), trace, by, verdict, says, reached, took });
                }
                _ => {}
            }
        }
    }
}

/// Mutants that were reached, with a `+` where the value would have differed.
fn parse_marks(marks: &str) -> Vec<(u32, bool)> {
    let parse = |mark: &str| match mark.strip_suffix('+') {
        Some(number) => Some((number.parse().ok()?, true)),
        None => Some((mark.parse().ok()?, false)),
    };
    marks.split_whitespace().filter_map(parse).collect()
}

/// How a process ended, in words.
fn describe(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "its end is unknown".to_string(), |status| status.to_string())
}

/// A process that serves jobs.
#[derive(Debug)]
struct Worker {
    process: Process,
    stdin: ChildStdin,
}

impl Worker {
    /// Starts one. Returns the names of its jobs, too.
    fn start(harness: &Harness, stderr: Stdio) -> Result<(Worker, Vec<String>), Error> {
        let HarnessKind::Runner(program, arguments) = &harness.kind else {
            unreachable!("tests are not served");
        };
        let mut command = harness.limited(program);
        command.args(arguments).stdin(Stdio::piped()).stderr(stderr);
        let mut process = Process::start(command)?;
        let stdin = process.child.stdin.take().expect("stdin is piped");
        let stopwatch = Stopwatch::start();
        let (mut names, mut most) = (Vec::new(), None);
        while most != Some(names.len()) {
            let line = match process.line(START_LIMIT.saturating_sub(stopwatch.elapsed())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => {
                    let seconds = START_LIMIT.as_secs();
                    return Err(Error::Runner(format!("the runner did not start within {seconds} s")));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let how = describe(process.ended());
                    return Err(Error::Runner(format!("the runner ended before it began ({how})")));
                }
            };
            let fields: Vec<&str> = line.strip_prefix(PREFIX).unwrap_or("").split('\t').collect();
            match fields[..] {
                ["ready", count] => most = count.parse::<usize>().ok(),
                ["job", name] => names.push(name.to_string()),
                _ => {}
            }
        }
        Ok((Worker { process, stdin }, names))
    }
}

/// A process and the lines of its stdout. It is killed when it is dropped.
#[derive(Debug)]
struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    fn start(mut command: Command) -> Result<Process, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let start = |error| Error::Start { program, error };
        let mut child = match command.stdout(Stdio::piped()).spawn() {
            Ok(child) => child,
            Err(error) => return Err(start(error)),
        };
        let stdout = child.stdout.take().expect("stdout is piped");
        let (send, lines) = mpsc::channel();
        // The thread ends with the process, or when nobody wants its lines any more. Without it, reading a line could
        // not have a time limit.
        let reader = thread::Builder::new().spawn(move || {
            let lines = BufReader::new(stdout).lines();
            lines.map_while(Result::ok).try_for_each(|line| send.send(line)).ok()
        });
        match reader {
            Ok(_) => Ok(Process { child, lines }),
            Err(error) => Err(start(error)),
        }
    }

    /// The next line.
    fn line(&self, limit: Duration) -> Result<String, RecvTimeoutError> {
        self.lines.recv_timeout(limit)
    }

    /// How it ended, after its stdout has.
    fn ended(&mut self) -> Option<ExitStatus> {
        self.child.wait().ok()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
