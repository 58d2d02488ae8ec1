//! The binary, on texts and files.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use testkit::wait::{Look, until_blocking};

/// What a run printed, and its exit status.
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub status: i32,
}

impl Ran {
    /// The items of `-o json`.
    pub fn items(&self) -> Vec<Value> {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }
}

pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_transcribe-operator"));
    command.arg("check").args(args).env_remove("NO_COLOR");
    command
}

/// Runs `check ARGS` with a text as standard input.
pub fn check(args: &[&str], stdin: &str) -> Ran {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let text = stdin.to_owned();
    // A usage error ends the program before it reads.
    let writer = std::thread::spawn(move || drop(pipe.write_all(text.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Ran {
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
        status: output.status.code().unwrap(),
    }
}

/// The same, for a text that might keep it busy for ever: ends it, and the test, when it does not end by itself.
pub fn check_ends(what: &str, args: &[&str], stdin: String) -> Ran {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || drop(pipe.write_all(stdin.as_bytes())));
    let (stdout, stderr) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let ended = until_blocking(what, || {
        Ok(child
            .try_wait()?
            .map_or_else(|| Look::Not("it is busy".to_owned()), Look::Done))
    });
    let status = ended.unwrap_or_else(|error| {
        child.kill().unwrap();
        panic!("{error:#}")
    });
    writer.join().unwrap();
    Ran {
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
        status: status.code().unwrap(),
    }
}

/// Reads on, so that whoever writes there does not have to wait.
fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        pipe.unwrap().read_to_string(&mut text).unwrap();
        text
    })
}

/// The one item of `check -o json` with these flags on a text.
pub fn item(flags: &[&str], text: &str) -> Value {
    let ran = check(&[&["-o", "json", "-f", "-"], flags].concat(), text);
    let mut items = ran.items();
    assert_eq!(items.len(), 1, "{}{}", ran.stdout, ran.stderr);
    items.remove(0)
}

/// A job with these members in its spec beside those that it must have. Null takes a member away.
pub fn job(members: Value) -> Value {
    let mut spec = json!({
        "languageCode": "en-US", "media": {"mediaFileUri": "s3://media/a.wav"}, "outputBucketName": "transcripts",
        "encryption": {"kmsKeyId": "alias/a"},
    });
    for (name, value) in members.as_object().unwrap() {
        spec[name] = value.clone();
    }
    spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json!({
        "apiVersion": "transcribe-operator.io/v1alpha1", "kind": "TranscriptionJob", "metadata": {"name": "a"},
        "spec": spec,
    })
}

/// The item for a job with these members.
pub fn judged(flags: &[&str], members: Value) -> Value {
    item(flags, &job(members).to_string())
}

/// Why a job with these members is denied.
pub fn denial(members: Value) -> String {
    let item = judged(&[], members);
    assert_eq!(item["allowed"], false, "{item}");
    item["message"].as_str().unwrap().to_owned()
}

/// A folder of its own, which goes with the value.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("check-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
        std::fs::create_dir_all(&folder.0).unwrap();
        for (name, text) in files {
            let path = folder.0.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    pub fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
