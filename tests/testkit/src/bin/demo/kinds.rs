//! The chapter of the four kinds, under a class that the platform team writes.

use std::fs;

use testkit::stage::repository;
use testkit::wait::TIMEOUT;

use crate::parts::Parts;
use crate::story::{say, show, shown, write};

const CLASS: &str = include_str!("class.yaml");
/// What is applied: one of each kind. They name the class `finance`.
const EXAMPLES: [&str; 4] = [
    "examples/transcription-job-rich.yaml",
    "examples/medical-transcription-job-rich.yaml",
    "examples/call-analytics-job-rich.yaml",
    "examples/medical-scribe-job-rich.yaml",
];

/// Tells it.
pub(crate) async fn tell(parts: &Parts) -> anyhow::Result<()> {
    class(parts).await?;
    say("The tenant applies one job of each kind: four of the examples, which name this class");
    let mut apply = vec!["apply"];
    fs::create_dir(parts.manifests.path().join("examples"))?;
    for example in EXAMPLES {
        fs::copy(repository().join(example), parts.manifests.path().join(example))?;
        apply.extend(["-f", example]);
    }
    show(&parts.tenant, &apply).await?;
    let wait = ["wait", "transcribe", "--all", "--for=condition=Finished", TIMEOUT];
    show(&parts.tenant, &wait).await?;
    show(&parts.tenant, &["get", "transcribe"]).await
}

async fn class(parts: &Parts) -> anyhow::Result<()> {
    say(
        "So far the class of the quick start applied. The platform team writes one for the team finance and all four kinds of jobs",
    );
    write(parts, "class.yaml", CLASS)?;
    println!("  $ cat class.yaml\n{}", shown(CLASS));
    show(&parts.admin, &["apply", "-f", "class.yaml"]).await?;
    show(
        &parts.admin,
        &["wait", "tcls/finance", "--for=condition=Ready", TIMEOUT],
    )
    .await
}
