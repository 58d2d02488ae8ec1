//! Leaving everything up: in a process of its own, which outlives the one that was started from the terminal.

use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use testkit::control_plane::program;
use testkit::wait::{Look, until_blocking};
use tokio::signal::unix::{SignalKind, signal};

use crate::parts::{Parts, folder};
use crate::story;

/// The argument of the process that stays.
pub(crate) const STAY: &str = "stay";
/// The last line of the walk-through.
const UP: &str = "--- up";

/// Where the process that stays leaves word: beside the program, or in `DEMO_STATE`.
struct Word {
    pid: PathBuf,
    log: PathBuf,
}

impl Word {
    fn new() -> anyhow::Result<Self> {
        let folder = match std::env::var_os("DEMO_STATE") {
            Some(elsewhere) => PathBuf::from(elsewhere),
            None => folder()?.join("demo-state"),
        };
        fs::create_dir_all(&folder)?;
        Ok(Self {
            pid: folder.join("pid"),
            log: folder.join("log"),
        })
    }

    /// The process that stays, if it still does: process ids are used again.
    fn staying(&self) -> Option<Pid> {
        let pid: i32 = fs::read_to_string(&self.pid).ok()?.trim().parse().ok()?;
        let command = fs::read(Path::new("/proc").join(pid.to_string()).join("cmdline")).ok()?;
        let is_ours = command.split(|byte| *byte == 0).any(|word| word == STAY.as_bytes());
        is_ours.then(|| Pid::from_raw(pid)).flatten()
    }
}

/// Starts the process that stays, shows what it says, and returns when it has nothing more to say.
pub(crate) async fn keep() -> anyhow::Result<()> {
    let word = Word::new()?;
    anyhow::ensure!(
        word.staying().is_none(),
        "the demo is up already; `make demo-down` ends it"
    );
    let mut child = Command::new(std::env::current_exe()?)
        .arg(STAY)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&word.log)?)
        .spawn()?;
    fs::write(&word.pid, child.id().to_string())?;
    let pid = Pid::from_child(&child);
    let stdout = child.stdout.take().context("stdout is piped")?;
    let copied = tokio::task::spawn_blocking(move || copy(BufReader::new(stdout)));
    let is_up = tokio::select! {
        copied = copied => copied??,
        interrupted = tokio::signal::ctrl_c() => { interrupted?; false }
    };
    if !is_up {
        // It may have ended by itself.
        kill_process(pid, Signal::TERM).ok();
        child.wait()?;
        fs::remove_file(&word.pid)?;
        anyhow::bail!("{}", fs::read_to_string(&word.log)?);
    }
    Ok(())
}

/// Copies lines to standard output; whether the last one was that all is up.
fn copy(lines: impl BufRead) -> anyhow::Result<bool> {
    for line in lines.lines() {
        let line = line?;
        if line == UP {
            return Ok(true);
        }
        println!("{line}");
        std::io::stdout().flush()?;
    }
    Ok(false)
}

/// Is the process that stays.
pub(crate) async fn stay() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let parts = tokio::select! {
        parts = walk() => parts?,
        _ = terminate.recv() => return Ok(()),
    };
    let programs = program("kubectl")?;
    let programs = programs.parent().context("a program is in a folder")?;
    story::say("It stays up. To try it by hand, as the tenant of the team finance:");
    println!("  export KUBECONFIG={}", parts.kubeconfig.display());
    println!("  export PATH={}:$PATH", programs.display());
    println!("  kubectl explain tj.spec.encryption");
    println!("  kubectl apply -f examples/transcription-job.yaml");
    println!("  kubectl get tj --watch");
    println!("  kubectl apply -f examples/medical-scribe-job-rich.yaml");
    println!("  kubectl get transcribe");
    println!("\n  make demo-down      # ends it\n{UP}");
    terminate.recv().await;
    Ok(())
}

async fn walk() -> anyhow::Result<Parts> {
    let parts = Parts::start().await?;
    story::tell(&parts).await?;
    Ok(parts)
}

/// Ends the process that stays, and all that it started.
pub(crate) fn down() -> anyhow::Result<()> {
    let word = Word::new()?;
    let Some(pid) = word.staying() else {
        println!("The demo is not up.");
        return Ok(());
    };
    kill_process(pid, Signal::TERM)?;
    until_blocking("the demo ends", || {
        Ok(Look::at(word.staying().is_none(), "it still runs"))
    })?;
    fs::remove_file(&word.pid)?;
    println!("The demo is down.");
    Ok(())
}
