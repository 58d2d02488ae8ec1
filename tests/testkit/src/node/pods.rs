//! The processes in the node's Pods, as the machine sees them.

use std::fs;
use std::path::Path;

use anyhow::Context as _;
use rustix::process::{Pid, kill_process};

use super::Node;
use crate::process::Signal;

impl Node {
    /// The ids, outside the node's namespaces, of the processes in the Pods that run the program at this path of their
    /// image.
    pub fn processes(&self, program: &str) -> anyhow::Result<Vec<u32>> {
        let all = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let found: Vec<u32> = all.filter(|pid| self.runs(*pid, program)).collect();
        anyhow::ensure!(!found.is_empty(), "no process in the Pods runs {program}");
        Ok(found)
    }

    /// SIGKILL for those processes. The kubelet is to notice.
    pub fn kill(&self, program: &str) -> anyhow::Result<()> {
        for pid in self.processes(program)? {
            let pid = Pid::from_raw(pid.try_into()?).context("no process has the id 0")?;
            kill_process(pid, Signal::KILL)?;
        }
        Ok(())
    }

    fn runs(&self, pid: u32, program: &str) -> bool {
        let ours = fs::read_to_string(format!("/proc/{pid}/cgroup")).is_ok_and(|groups| groups.contains(&self.cgroup));
        ours && fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path == Path::new(program))
    }
}
