//! What the machine has of a node.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;

use super::Node;

/// Where to look for what is left of a node, when the node has gone. As a text it can be handed to another process.
#[derive(Clone, Debug)]
pub struct Traces {
    network: PathBuf,
    folder: PathBuf,
}

impl Node {
    /// Where to look for it.
    pub fn traces(&self) -> anyhow::Result<Traces> {
        Ok(Traces {
            network: fs::read_link(self.namespace("net"))?,
            folder: self.folder.path().to_owned(),
        })
    }

    /// Starts a process that does nothing, in the node's namespaces and in one of its cgroups.
    pub fn inhabit(&mut self) -> anyhow::Result<()> {
        let pause = self.inside("pause");
        self.start("pause", pause)?;
        let pause = self.parts.last().context("a process was started")?;
        let members = format!("/sys/fs/cgroup/memory/{}/cgroup.procs", self.cgroup);
        Ok(fs::write(members, pause.pid().to_string())?)
    }
}

impl Traces {
    /// What is there of it: processes in its network, its cgroups and its folder.
    pub fn left(&self) -> anyhow::Result<Vec<String>> {
        // The numbers alone: the calling thread, which /proc names too, may be in the network for good.
        let processes = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let processes = processes.filter(|name| name.parse::<u32>().is_ok());
        let is_inside =
            |pid: &String| fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|net| net == self.network);
        let mut left: Vec<String> = processes.filter(is_inside).collect();
        let name = self.folder.file_name().unwrap_or_default();
        let cgroup = format!("transcribe-{}", name.display());
        let mut places = vec![self.folder.clone()];
        for hierarchy in fs::read_dir("/sys/fs/cgroup")? {
            places.push(hierarchy?.path().join(&cgroup));
        }
        let there = places.into_iter().filter(|place| place.exists());
        left.extend(there.map(|place| place.display().to_string()));
        Ok(left)
    }
}

impl fmt::Display for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.network.display(), self.folder.display())
    }
}

impl FromStr for Traces {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (network, folder) = text.split_once(' ').context("two words")?;
        Ok(Self {
            network: Path::new(network).to_owned(),
            folder: Path::new(folder).to_owned(),
        })
    }
}
