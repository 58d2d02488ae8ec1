//! Child processes that never outlive the tests that started them.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::Context as _;
pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// A program running beside the test, its output in a log file.
///
/// It is killed when this handle is dropped, and also when the test process goes away without dropping anything.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with standard output and error appended to `log`.
    pub fn start(name: &str, mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| log.display().to_string())?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {name} ({})", command.get_program().display()))?;
        let process = Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        };
        Guardian::tell("pid", process.pid());
        Ok(process)
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal; an error if the process has ended.
    pub fn signal(&mut self, signal: Signal) -> anyhow::Result<()> {
        if let Some(status) = self.exited()? {
            anyhow::bail!("{} has ended: {status}", self.name);
        }
        kill_process(Pid::from_child(&self.child), signal).with_context(|| format!("signal to {}", self.name))
    }

    /// How the process ended, or `None` while it runs.
    pub fn exited(&mut self) -> anyhow::Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// Everything the process has written so far.
    pub fn log(&self) -> String {
        fs::read(&self.log)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The last `lines` lines of the log under a heading that names the program, for error messages.
    pub fn log_tail(&self, lines: usize) -> String {
        let log = self.log();
        let all: Vec<&str> = log.lines().collect();
        format!(
            "--- the end of the log of {}:\n{}",
            self.name,
            all[all.len().saturating_sub(lines)..].join("\n")
        )
    }

    /// Kills the process (SIGKILL) and waits until it is gone. Does nothing when it has ended already.
    pub fn kill(&mut self) {
        // Both fail only when the process has been waited for already, and then there is nothing to end.
        self.child.kill().ok();
        self.child.wait().ok();
        Guardian::tell("gone", self.child.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Removes a temporary folder when the test process ends, for folders that a `static` owns (statics are not dropped).
pub fn remove_at_exit(folder: &Path) {
    Guardian::tell("folder", folder.display());
}

/// Runs a command of the shell when the test process ends, after its child processes and before its folders go. It has to
/// bear being run when there is nothing left to do.
pub fn run_at_exit(command: &str) {
    Guardian::tell("command", command);
}

/// A shell that reads process ids from this process and kills them when this process goes away, however it ends.
struct Guardian {
    stdin: ChildStdin,
}

/// Its own process group and ignored signals: an interrupt from the keyboard must not end it before its work is done.
const GUARDIAN: &str = r#"
trap '' INT TERM HUP
pids= folders= commands=
while read -r verb what; do
    case $verb in
        pid) pids="$pids $what" ;;
        gone) rest=; for pid in $pids; do [ "$pid" = "$what" ] || rest="$rest $pid"; done; pids=$rest ;;
        command) commands="$commands$what
" ;;
        folder) folders="$folders$what
" ;;
    esac
done
[ -z "$pids" ] || kill -KILL $pids
eval "$commands"
printf '%s' "$folders" | while read -r folder; do rm -rf "$folder"; done
"#;

impl Guardian {
    fn start() -> Option<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", GUARDIAN]).process_group(0);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        child.stdin.take().map(|stdin| Self { stdin })
    }

    fn tell(verb: &str, what: impl std::fmt::Display) {
        static GUARDIAN: OnceLock<Mutex<Option<Guardian>>> = OnceLock::new();
        let guardian = GUARDIAN.get_or_init(|| Mutex::new(Guardian::start()));
        if let Some(guardian) = guardian.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            // Without a guardian the handles still end their processes on drop.
            writeln!(guardian.stdin, "{verb} {what}").ok();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::{BufRead as _, BufReader};
    use std::time::Duration;

    use super::*;
    use crate::wait::{Look, until_blocking};

    fn sleeper(folder: &Path) -> Process {
        let mut command = Command::new("sleep");
        command.arg("1000");
        Process::start("sleep", command, &folder.join("log")).unwrap()
    }

    fn is_running(pid: u32) -> bool {
        // Where process 1 waits for nobody, as in many containers, an orphan stays a zombie.
        let zombie = fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.contains(") Z "));
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        !zombie && rustix::process::test_kill_process(pid).is_ok()
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        let pid = process.pid();
        assert!(is_running(pid));
        drop(process);
        assert!(!is_running(pid));
    }

    /// Run by the next test in a process of its own, which it kills.
    #[test]
    #[ignore = "only makes sense as the child of the next test"]
    fn a_test_that_never_ends() {
        let folder = tempfile::tempdir().unwrap();
        let process = sleeper(folder.path());
        remove_at_exit(folder.path());
        run_at_exit(&format!("touch '{}.ended'", folder.path().display()));
        println!("\nstarted {} {}", process.pid(), folder.path().display());
        std::thread::sleep(Duration::from_hours(1));
    }

    #[test]
    fn a_killed_test_takes_its_processes_and_folders_along() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([
            "--exact",
            "process::tests::a_test_that_never_ends",
            "--ignored",
            "--nocapture",
        ]);
        let mut test = command.stdout(Stdio::piped()).spawn().unwrap();
        let line = BufReader::new(test.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find(|line| line.starts_with("started"))
            .unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let (pid, folder) = (words[1].parse().unwrap(), Path::new(words[2]));
        assert!(is_running(pid) && folder.exists());
        test.kill().unwrap();
        test.wait().unwrap();
        until_blocking("its process and its folder go along", || {
            let (runs, is_there) = (is_running(pid), folder.exists());
            Ok(Look::at(!runs && !is_there, format!("{runs} {is_there}")))
        })
        .unwrap();
        fs::remove_file(folder.with_added_extension("ended")).unwrap();
    }
}
