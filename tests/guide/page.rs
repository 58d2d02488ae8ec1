//! A page of the documentation, as something to run.
//!
//! - A `yaml` block whose first line is `# name.yaml` is written to that file.
//! - A `console` block has lines `$ command`, each followed by what it prints; `...` on a line of its own stands for any
//!   lines.
//! - A `sh` block needs AWS or a cluster with nodes: of an `aws` command only what stands in `$(…)` is run, and must print
//!   something; of `helm install` the chart is rendered.
//! - A `json` block is JSON.
//! - A `text` block is a picture.
//!
//! It is written here and not taken from trycmd because that knows no shell, and its wildcards would stand in the page: what
//! differs from run to run is not compared instead, so that the page shows what a reader sees.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::LazyLock;

use anyhow::{Context as _, Result, ensure};
use regex::Regex;
use snapbox::filter::NormalizeToExpected;
use snapbox::{Data, Redactions};
use tempfile::TempDir;
use testkit::stage::repository;
use testkit::wait;
use tokio::process::Command;
use tokio::time::sleep;

/// How often a reader looks again for what is not there yet, while nothing changes: Events are told after the status. Each
/// look is a process of its own, which takes longer on a slow machine.
const LOOKS: u32 = 100;
/// What changes nothing, so that it can be asked again.
const READS: [&str; 3] = ["kubectl get ", "kubectl describe ", "kubectl events "];

/// What differs from run to run.
static VARIES: LazyLock<Redactions> = LazyLock::new(|| {
    let mut varies = Redactions::new();
    let uid = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}";
    for (placeholder, pattern) in [
        ("[UID]", uid),
        ("[CLUSTER]", "tro-(?<redacted>[a-z0-9]+)-"),
        ("[TIME]", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"),
        ("[AGE]", r"\b(\d+[dhms]){1,2}\b"),
        ("[COUNT]", r" \(x\d+ over [^)]*\)"),
        ("[HASH]", "v1:[0-9a-f]{32}"),
        ("[VERSION]", r"Resource Version: (?<redacted>\d+)"),
    ] {
        let pattern = Regex::new(pattern).unwrap();
        varies.insert(placeholder, pattern).unwrap();
    }
    varies
});

/// Where the commands run.
pub(crate) struct Shell<'a> {
    /// Holds the files of the page.
    pub(crate) folder: TempDir,
    /// Where the programs are.
    pub(crate) path: Vec<PathBuf>,
    /// The kubeconfig of the reader.
    pub(crate) kubeconfig: PathBuf,
    /// Ends the jobs that a command waits for; called again and again while one runs, with the command.
    pub(crate) aws: &'a (dyn Fn(&str) + Sync),
}

impl Shell<'_> {
    /// What a command prints, standard output and error as they come.
    async fn prints(&self, command: &str) -> Result<String> {
        let path = std::env::join_paths(&self.path)?;
        let child = Command::new("bash")
            .args(["-c", &format!("exec 2>&1\n{command}")])
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.folder.path())
            .env("KUBECONFIG", &self.kubeconfig)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let aws = async {
            loop {
                (self.aws)(command);
                sleep(wait::PAUSE).await;
            }
        };
        let output = tokio::select! {
            output = wait::on(command, child) => output??,
            never = aws => never,
        };
        Ok(plain(&String::from_utf8(output.stdout)?))
    }

    /// What a command prints, and whether the page says so. If it does not, a command that only reads is repeated as long as
    /// what it prints changes, and some times more.
    async fn shown(&self, command: &str, page: &str) -> Result<(String, bool)> {
        let reads = READS.iter().any(|read| command.starts_with(read));
        let (mut before, mut unchanged) = (String::new(), 0);
        loop {
            let printed = self.prints(command).await?;
            if same(page, &printed) {
                let elided = page.lines().any(|line| line == "...");
                return Ok((if elided { page.to_owned() } else { printed }, true));
            }
            unchanged = if same(&before, &printed) { unchanged + 1 } else { 0 };
            if unchanged >= LOOKS || !reads {
                println!("$ {command}\n{printed}--- is not what the page says:\n{page}");
                return Ok((printed, false));
            }
            before = printed;
            sleep(wait::PAUSE).await;
        }
    }

    /// Runs a page: the page itself if all of it is so, else what it would say if it were written now, in all of its blocks,
    /// so that they are of one run.
    pub(crate) async fn run(&self, page: &str) -> Result<String> {
        let (mut parts, mut true_to_life) = (Vec::new(), true);
        for (n, part) in page.split("```").enumerate() {
            let block = (n % 2 == 1).then(|| part.split_once('\n')).flatten();
            parts.push(match block {
                Some(("console", body)) => {
                    let (now, so) = self.console(body).await?;
                    true_to_life &= so;
                    format!("console\n{now}")
                }
                Some(("sh", body)) => self.sh(body).await.map(|()| part.to_owned())?,
                Some(("yaml", body)) => self.file(body).map(|()| part.to_owned())?,
                Some(("json", body)) => {
                    serde_json::from_str::<serde_json::Value>(body).context(part.to_owned())?;
                    part.to_owned()
                }
                Some(("text", _)) | None => part.to_owned(),
                Some((language, _)) => anyhow::bail!("nobody knows how to run a block of {language:?}"),
            });
        }
        Ok(if true_to_life {
            page.to_owned()
        } else {
            parts.join("```")
        })
    }

    async fn console(&self, body: &str) -> Result<(String, bool)> {
        let (mut out, mut true_to_life) = (String::new(), true);
        let mut lines = body.lines().peekable();
        while let Some(line) = lines.next() {
            let mut command = line
                .strip_prefix("$ ")
                .with_context(|| format!("no command: {line}"))?
                .to_owned();
            while let Some(more) = lines.next_if(|_| command.ends_with('\\')) {
                command = format!("{command}\n{more}");
            }
            let mut page = String::new();
            while let Some(output) = lines.next_if(|line| !line.starts_with("$ ")) {
                page = format!("{page}{output}\n");
            }
            let (shown, so) = self.shown(&command, &page).await?;
            true_to_life &= so;
            out = format!("{out}$ {command}\n{shown}");
        }
        Ok((out, true_to_life))
    }

    async fn sh(&self, body: &str) -> Result<()> {
        for line in body.replace("\\\n", "").lines() {
            if let Some(install) = line.strip_prefix("helm install ") {
                self.renders(install).await?;
                continue;
            }
            ensure!(line.starts_with("aws "), "it can be run, so it is to be run: {line}");
            for part in line.split("$(").skip(1) {
                let (command, _) = part.split_once(')').context(line.to_owned())?;
                let printed = self.prints(command).await?;
                ensure!(printed.starts_with("s3://"), "{command} prints {printed}");
            }
        }
        Ok(())
    }

    /// What is installed on a cluster with nodes is rendered here, so that every value is one.
    async fn renders(&self, install: &str) -> Result<()> {
        let template = install.replace("--create-namespace", "").replace("--wait", "");
        let template = format!("cd '{}' && helm template {template}", repository().display());
        let printed = self.prints(&template).await?;
        ensure!(printed.contains("kind: Deployment"), "{template} prints {printed}");
        Ok(())
    }

    fn file(&self, body: &str) -> Result<()> {
        let name = body.lines().next().and_then(|line| line.strip_prefix("# "));
        let name = name.filter(|name| !name.contains(['/', ' ']));
        let name = name.with_context(|| format!("a manifest without the name of its file: {body}"))?;
        std::fs::write(self.folder.path().join(name), body).context(name.to_owned())
    }
}

/// Without what a terminal does not show: blanks at the end of a line.
fn plain(text: &str) -> String {
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// The page says what was printed, as far as that does not differ from run to run.
fn same(page: &str, printed: &str) -> bool {
    let page = Data::text(VARIES.redact(&squeezed(page)));
    let printed = Data::text(VARIES.redact(&squeezed(printed)));
    NormalizeToExpected::new().redact().normalize(printed, &page) == page
}

/// Columns are as wide as their widest value, and values vary.
fn squeezed(text: &str) -> String {
    static GAP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(\S) {2,}").unwrap());
    GAP.replace_all(text, "$1 ").into_owned()
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn what_varies_is_told_from_what_does_not() {
        let row = "NAME      STATUS      AGE\nstandup   Completed   4s\n";
        assert!(same(row, "NAME      STATUS      AGE\nstandup   Completed   1m14s\n"));
        assert!(!same(row, "NAME      STATUS      AGE\nstandup   Failed      4s\n"));
        assert!(!same(row, "NAME      STATUS      AGE\n"));
        assert!(same("...\nend\n", "a\nb\nend\n") && !same("...\nend\n", "a\nb\n"));
        let job = |uid: &str| format!("s3://out/tro-prod-{uid}-1.json\n");
        let (one, other) = (
            job("d9428888-122b-41e1-b85c-61b0a4e0fd2f"),
            job("a1b2c3d4-0000-4000-8000-000000000000"),
        );
        assert!(same(&one, &other) && !same(&one, &other.replace("-1.json", "-2.json")));
        assert!(!same(
            "key/1234abcd-12ab-34cd-56ef-1234567890ab\n",
            "key/1234abcd-12ab-34cd-56ef-1234567890ac\n"
        ));
    }
}
