//! What a node leaves on the machine: nothing.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use testkit::node::{Node, Traces};
use testkit::wait::{Look, until_blocking};

/// The argument of a process that has a node until it is killed.
pub(crate) const STAY: &str = "stay";
/// What it says before the traces of its node.
const STARTED: &str = "started ";

/// A node with a process in it and in one of its cgroups.
fn inhabited() -> anyhow::Result<(Node, Traces)> {
    let mut node = Node::enter()?;
    node.inhabit()?;
    let traces = node.traces()?;
    assert!(traces.left()?.len() > 5, "{:?}", traces.left());
    Ok((node, traces))
}

pub(crate) fn a_dropped_node_leaves_nothing() -> anyhow::Result<()> {
    let (node, traces) = inhabited()?;
    drop(node);
    assert_eq!(traces.left()?, Vec::<String>::new());
    Ok(())
}

/// Is that process.
pub(crate) fn stay() -> anyhow::Result<()> {
    let (_node, traces) = inhabited()?;
    println!("{STARTED}{traces}");
    loop {
        std::thread::park();
    }
}

pub(crate) fn a_killed_process_leaves_no_node() -> anyhow::Result<()> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(STAY)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let traces = lines.find_map(|line| Some(line.strip_prefix(STARTED)?.to_owned()));
    child.kill()?;
    child.wait()?;
    let traces: Traces = traces.unwrap().parse()?;
    until_blocking("nothing is left of the node", || {
        let left = traces.left()?;
        Ok(Look::at(left.is_empty(), format!("{left:?}")))
    })
}
