//! The chapter of the four kinds, under a class that the platform team writes.

use std::fs;

use testkit::stage::repository;

use crate::parts::Parts;
use crate::story::{say, show, shown, write};

const CLASS: &str = include_str!("class.yaml");
/// What is applied: one of each kind. They name the class `finance`.
const EXAMPLES: [&str; 4] = [
    "transcription-job-rich.yaml",
    "medical-transcription-job-rich.yaml",
    "call-analytics-job-rich.yaml",
    "medical-scribe-job-rich.yaml",
];

/// Tells it.
pub(crate) async fn tell(parts: &Parts) -> anyhow::Result<()> {
    class(parts).await?;
    say("The tenant applies one job of each kind, from the examples of this repository");
    let mut apply = vec!["apply"];
    for example in EXAMPLES {
        fs::copy(
            repository().join("examples").join(example),
            parts.manifests.path().join(example),
        )?;
        apply.extend(["-f", example]);
    }
    show(&parts.tenant, &apply).await?;
    let wait = [
        "wait",
        "transcribe",
        "--all",
        "--for=condition=Finished",
        "--timeout=60s",
    ];
    show(&parts.tenant, &wait).await?;
    show(&parts.tenant, &["get", "transcribe"]).await
}

async fn class(parts: &Parts) -> anyhow::Result<()> {
    say(
        "So far everybody had the class of the quick start. The platform team writes one for all four kinds of jobs of one team",
    );
    write(parts, "class.yaml", CLASS)?;
    println!("  $ cat class.yaml\n{}", shown(CLASS));
    show(&parts.admin, &["apply", "-f", "class.yaml"]).await?;
    show(
        &parts.admin,
        &["wait", "tcls/finance", "--for=condition=Ready", "--timeout=60s"],
    )
    .await
}
