//! The processes in the node's Pods, as the machine sees them.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use rustix::process::{Pid, kill_process};

use super::Node;
use crate::process::Signal;

impl Node {
    /// The process id, outside the node's namespaces, of the one process in the Pods that runs the program at this path
    /// of its image.
    pub fn process(&self, program: &str) -> anyhow::Result<u32> {
        let all = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let found: Vec<u32> = all.filter(|pid| self.runs(*pid, program)).collect();
        let [pid] = found[..] else {
            anyhow::bail!("{} processes run {program}, not one", found.len());
        };
        Ok(pid)
    }

    /// SIGKILL for that process. The kubelet is to notice.
    pub fn kill(&self, program: &str) -> anyhow::Result<()> {
        let pid = Pid::from_raw(self.process(program)?.try_into()?).context("no process has the id 0")?;
        Ok(kill_process(pid, Signal::KILL)?)
    }

    fn runs(&self, pid: u32, program: &str) -> bool {
        let ours = fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(&self.cgroup));
        ours && fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path == Path::new(program))
    }
}
