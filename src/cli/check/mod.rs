//! `transcribe-operator check`: the admission verdict on manifests, without a cluster and without AWS.
//!
//! [`input`] reads the objects, [`class`] chooses the class of each job, [`schema`] and [`verdict`] judge, [`output`]
//! prints.

mod class;
mod input;
mod json;
#[cfg(test)]
mod kubectl_tests;
mod names;
mod outcome;
mod output;
mod scalar;
mod schema;
mod verdict;
mod yaml;

use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;

use crate::{
    api::{class_patterns::RegionName, transcription_class::TranscriptionClass, types::BucketName},
    cli::values::account,
};
use input::{Input, Problem};
use output::{Human, Item};

/// The exit status if an object was denied.
const DENIED: u8 = 1;
/// The exit status if something could not be read.
const UNREADABLE: u8 = 2;

/// The flags of `check`.
#[derive(clap::Args, Clone, Debug)]
pub struct CheckArgs {
    /// A manifest (YAML or JSON), a folder of them, or - for standard input. May be given more than once.
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true, num_args = 1..)]
    pub filenames: Vec<PathBuf>,
    /// The manifest of one or more TranscriptionClasses that the jobs are judged against. The classes are judged too.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["region", "key_accounts", "output_bucket"])]
    pub class: Option<PathBuf>,
    /// The AWS Region of the jobs. Without it, rules about the Region are not judged.
    #[arg(long)]
    pub region: Option<RegionName>,
    /// The AWS account of the jobs: 12 digits. Without it, rules about the account are not judged, except for a class
    /// that names a role, whose ARN has the account.
    #[arg(long, value_name = "ID", value_parser = account)]
    pub account: Option<String>,
    /// An account, other than the jobs' own, whose KMS keys they may name. May be given more than once.
    #[arg(long = "key-account", value_name = "ID", value_parser = account)]
    pub key_accounts: Vec<String>,
    /// The output bucket of jobs that name none. Without it, whether such a job has a bucket is not judged.
    #[arg(long, value_name = "NAME")]
    pub output_bucket: Option<BucketName>,
    /// The format of the verdicts. Default: text for people.
    #[arg(short = 'o', long = "output", value_enum)]
    pub output: Option<Format>,
    /// Print without colours, see <https://no-color.org>.
    #[arg(long, env = "NO_COLOR", hide = true)]
    pub no_color: Option<OsString>,
}

/// An output format for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// An array with one item for each object.
    Json,
}

/// What is known of the cluster that the manifests are for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Install {
    /// The classes that jobs are judged against, instead of the flags below.
    pub classes: Option<Vec<TranscriptionClass>>,
    /// The Region of the jobs.
    pub region: Option<RegionName>,
    /// The account of the jobs.
    pub account: Option<String>,
    /// Other accounts whose keys they may name.
    pub key_accounts: Vec<String>,
    /// The output bucket of jobs that name none.
    pub output_bucket: Option<BucketName>,
}

/// Judges the manifests that `args` names. Prints the verdicts to standard output, and what cannot be read to standard
/// error.
///
/// The exit status is 0 if all objects are allowed, 1 if one is denied, and 2 if something could not be read or
/// printed. A closed pipe on standard output is not an error.
pub fn run(args: CheckArgs) -> ExitCode {
    let CheckArgs {
        filenames,
        class,
        region,
        account,
        key_accounts,
        output_bucket,
        output,
        no_color,
    } = args;
    let of_class = class.as_ref().map(Input::of_class);
    let install = Install {
        classes: of_class.as_ref().map(|input| class::among(&input.objects)),
        region,
        account,
        key_accounts,
        output_bucket,
    };
    let read = Input::read(&filenames, &mut io::stdin().lock());
    let Input { objects, mut problems } = of_class.unwrap_or_default().and(read);
    let items: Vec<_> = objects
        .into_iter()
        .map(|object| Item::judge(object, &install))
        .collect();
    let colour = io::stdout().is_terminal() && no_color.is_none_or(|value| value.is_empty());
    if let Err(error) = ignore_broken_pipe(print(&items, output, colour)) {
        problems.push(Problem::of("standard output", &format!("cannot be written ({error})")));
    }
    for problem in &problems {
        // If standard error cannot be written either, the exit status still reports the problem.
        drop(writeln!(io::stderr(), "error: {}", output::plain(&problem.to_string())));
    }
    ExitCode::from(match (problems.is_empty(), items.iter().all(|item| item.allowed)) {
        (false, _) => UNREADABLE,
        (true, false) => DENIED,
        (true, true) => 0,
    })
}

fn print(items: &[Item], output: Option<Format>, colour: bool) -> io::Result<()> {
    let mut writer = io::BufWriter::new(io::stdout().lock());
    match output {
        Some(Format::Json) => output::json(items, &mut writer)?,
        None => Human { colour }.print(items, &mut writer)?,
    }
    writer.flush()
}

fn ignore_broken_pipe(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Ok(())
        } else {
            Err(error)
        }
    })
}
