//! The operator as users run it: the binary that ships, as a process that can be stopped, killed and asked.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tempfile::TempDir;
use tokio::time::timeout;

use crate::ports;
use crate::process::{Process, Signal, remove_at_exit};
use crate::wait::{self, Look};

/// How long an answer of the metrics port may take: a hung port is told apart from a slow machine.
const ANSWER: Duration = Duration::from_mins(1);

/// The access key id that [`Builder::emulator`] gives an operator.
pub const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";

/// How an operator is to be started.
#[derive(Clone, Debug)]
pub struct Builder {
    program: PathBuf,
    kubeconfig: String,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
}

impl Builder {
    /// One more argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// A flag's value, in place of the one given before.
    #[must_use]
    pub fn set(mut self, flag: &str, value: &str) -> Self {
        if let Some(at) = self.args.iter().position(|arg| arg == flag) {
            self.args.drain(at..=at + 1);
        }
        self.args([flag, value])
    }

    /// One more environment variable. Of the test's own environment the process gets nothing but `PATH`, so that no
    /// credentials or settings of the machine reach it.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Without an environment variable that was given.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.env.retain(|(given, _)| given != name);
        self
    }

    /// With an emulator in the place of AWS, and the credentials that it knows.
    #[must_use]
    pub fn emulator(self, aws: &str) -> Self {
        let endpoints = ["--transcribe-endpoint", "--kms-endpoint", "--sts-endpoint"];
        self.args(endpoints.iter().flat_map(|flag| [*flag, aws]))
            .arg("--allow-insecure-endpoints")
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
            .env("AWS_EC2_METADATA_DISABLED", "true")
    }

    /// Starts the process, with `--metrics-listen` on a free port added. It is not ready yet: [`Operator::wait_ready`].
    pub fn start(self) -> anyhow::Result<Operator> {
        let folder = tempfile::Builder::new().prefix("operator-").tempdir()?;
        remove_at_exit(folder.path());
        std::fs::write(folder.path().join("kubeconfig"), &self.kubeconfig)?;
        let port = ports::free()?;
        let process = Arc::new(Mutex::new(self.launch(port, folder.path())?));
        Ok(Operator {
            builder: self,
            process,
            port,
            folder,
        })
    }

    fn launch(&self, port: u16, folder: &Path) -> anyhow::Result<Process> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.args)
            .args(["--metrics-listen", &format!("127.0.0.1:{port}")]);
        command
            .env_clear()
            .env("HOME", folder)
            .env("KUBECONFIG", folder.join("kubeconfig"))
            .env("RUST_BACKTRACE", "1");
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        Process::start("the operator", command, &log(folder))
    }
}

/// A running operator; killed when dropped, and when the test process ends in another way.
#[derive(Debug)]
pub struct Operator {
    builder: Builder,
    process: Arc<Mutex<Process>>,
    port: u16,
    folder: TempDir,
}

impl Operator {
    /// An operator of this program (`env!("CARGO_BIN_EXE_transcribe-operator")`) with this kubeconfig and no arguments yet.
    /// Tests get theirs from a [`crate::stage::Stage`], with the rights of the chart.
    pub(crate) fn builder(program: impl Into<PathBuf>, kubeconfig: impl Into<String>) -> Builder {
        Builder {
            program: program.into(),
            kubeconfig: kubeconfig.into(),
            args: Vec::new(),
            env: Vec::new(),
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        held(&self.process).pid()
    }

    /// SIGKILL, and gone when this returns.
    pub fn kill(&self) {
        held(&self.process).kill();
    }

    /// What kills the operator from elsewhere, such as a fault proxy at a chosen request. It follows a restart.
    pub fn killer(&self) -> impl Fn() + Send + Sync + 'static {
        let process = Arc::clone(&self.process);
        move || held(&process).kill()
    }

    /// SIGSTOP: the process keeps everything and does nothing.
    pub fn stop(&self) -> anyhow::Result<()> {
        held(&self.process).signal(Signal::STOP)
    }

    /// SIGCONT, after [`Operator::stop`].
    pub fn cont(&self) -> anyhow::Result<()> {
        held(&self.process).signal(Signal::CONT)
    }

    /// SIGTERM: asks the process to end in good order.
    pub fn terminate(&self) -> anyhow::Result<()> {
        held(&self.process).signal(Signal::TERM)
    }

    /// Kills the process if it still runs and starts it again with the same arguments; the log goes on.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.kill();
        *held(&self.process) = self.builder.launch(self.port, self.folder.path())?;
        Ok(())
    }

    /// How the process ended, or `None` while it runs.
    pub fn exited(&self) -> anyhow::Result<Option<ExitStatus>> {
        held(&self.process).exited()
    }

    /// Waits until the process has ended.
    pub async fn wait(&self) -> anyhow::Result<ExitStatus> {
        wait::until("the operator ends", async || {
            let log = || Look::Not(format!("still running\n{}", self.log_tail()));
            Ok(self.exited()?.map_or_else(log, Look::Done))
        })
        .await
    }

    /// Every line the process has written, standard output and error together.
    pub fn logs(&self) -> Vec<String> {
        held(&self.process).log().lines().map(str::to_owned).collect()
    }

    /// The end of the log, for messages of failing tests.
    pub fn log_tail(&self) -> String {
        held(&self.process).log_tail(40)
    }

    /// `GET path` on the metrics port: the status and the body.
    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, String)> {
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let uri = format!("http://127.0.0.1:{}{path}", self.port).parse()?;
        let answer = timeout(ANSWER, client.get(uri)).await??;
        let status = answer.status().as_u16();
        let body = timeout(ANSWER, answer.into_body().collect()).await??.to_bytes();
        Ok((status, String::from_utf8(body.into())?))
    }

    /// The text of `/metrics`.
    pub async fn metrics(&self) -> anyhow::Result<String> {
        let (status, body) = self.get("/metrics").await?;
        anyhow::ensure!(status == 200, "/metrics answers {status}: {body}");
        Ok(body)
    }

    /// The sum of all samples of a metric whose series, name and labels as written, begins with `series`; `None` when
    /// there is no such sample.
    pub async fn metric(&self, series: &str) -> anyhow::Result<Option<f64>> {
        Ok(sum(&self.metrics().await?, series))
    }

    /// Waits until `/readyz` says 200; an error with the end of the log when the process ends first.
    pub async fn wait_ready(&self) -> anyhow::Result<()> {
        wait::until("the operator is ready", async || {
            if let Ok((200, _)) = self.get("/readyz").await {
                return Ok(Look::Done(()));
            }
            if let Some(status) = self.exited()? {
                anyhow::bail!("ended before it was ready ({status})\n{}", self.log_tail());
            }
            Ok(Look::Not(self.log_tail()))
        })
        .await
    }

    /// Waits until a line of the log contains `text`, and returns that line.
    pub async fn wait_log(&self, text: &str) -> anyhow::Result<String> {
        wait::until(&format!("a line with {text:?} in the log"), async || {
            let line = self.logs().into_iter().find(|line| line.contains(text));
            Ok(line.map_or_else(|| Look::Not(self.log_tail()), Look::Done))
        })
        .await
    }
}

fn held(process: &Mutex<Process>) -> MutexGuard<'_, Process> {
    process.lock().unwrap_or_else(PoisonError::into_inner)
}

fn log(folder: &Path) -> PathBuf {
    folder.join("operator.log")
}

fn sum(metrics: &str, series: &str) -> Option<f64> {
    let samples = metrics.lines().filter(|line| line.starts_with(series));
    let values = samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    values.reduce(|total, value| total + value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stand-in for the operator: a shell that ignores the flag it is given.
    fn shell(script: &str) -> Operator {
        Operator::builder("/bin/sh", "")
            .arg("-c")
            .arg(script)
            .arg("operator")
            .start()
            .unwrap()
    }

    #[tokio::test]
    async fn its_output_and_its_end_can_be_seen() {
        let operator = shell("echo to stdout $1; echo to stderr >&2; exit 3");
        assert_eq!(operator.wait().await.unwrap().code(), Some(3));
        assert_eq!(operator.logs(), ["to stdout --metrics-listen", "to stderr"]);
        let error = format!("{:#}", operator.wait_ready().await.unwrap_err());
        assert!(
            error.contains("exit status: 3") && error.contains("to stderr"),
            "{error}"
        );
        operator.terminate().unwrap_err();
    }

    #[tokio::test]
    async fn the_environment_of_the_machine_does_not_reach_it() {
        let operator = shell("env");
        operator.wait().await.unwrap();
        let names: Vec<String> = operator
            .logs()
            .iter()
            .filter_map(|l| Some(l.split_once('=')?.0.to_owned()))
            .collect();
        assert!(names.iter().any(|name| name == "KUBECONFIG"), "{names:?}");
        assert!(!names.iter().any(|name| name.starts_with("CARGO")), "{names:?}");
    }

    #[tokio::test]
    async fn it_stops_goes_on_and_is_killed_and_restarted() {
        let operator = shell("while :; do echo tick; sleep 0.02; done");
        operator.wait_log("tick").await.unwrap();
        operator.stop().unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let ticks = operator.logs().len();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(operator.logs().len(), ticks);
        operator.cont().unwrap();
        wait::until_so("it goes on", async || operator.logs().len() > ticks)
            .await
            .unwrap();

        let first = operator.pid();
        operator.killer()();
        assert!(operator.exited().unwrap().is_some());
        operator.restart().unwrap();
        assert_ne!(operator.pid(), first);
        assert!(operator.exited().unwrap().is_none());
        operator.terminate().unwrap();
        operator.wait().await.unwrap();
    }

    #[test]
    fn series_of_a_metric_add_up() {
        let text = "# TYPE starts counter\nstarts_total{kind=\"a\"} 2\nstarts_total{kind=\"b\"} 3\nother 7\n";
        assert_eq!(sum(text, "starts_total"), Some(5.0));
        assert_eq!(sum(text, "starts_total{kind=\"b\"}"), Some(3.0));
        assert_eq!(sum(text, "absent"), None);
    }
}
