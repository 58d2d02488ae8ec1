//! What a node leaves on the machine: nothing.

#![allow(clippy::unwrap_used, clippy::unwrap_in_result)]

use std::io::{BufRead as _, BufReader};

use super::*;

/// Which network namespace a process is in.
fn network(pid: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// Whatever is left of a node: processes in its network, its cgroups and its folder.
fn remains(network_was: &Path, folder: &Path) -> Vec<String> {
    let processes = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut left: Vec<String> = processes
        .filter(|pid| network(pid).as_deref() == Some(network_was))
        .collect();
    let cgroup = format!("transcribe-{}", folder.file_name().unwrap().display());
    let hierarchies = fs::read_dir("/sys/fs/cgroup")
        .unwrap()
        .map(|entry| entry.unwrap().path().join(&cgroup));
    left.extend(
        hierarchies
            .chain([folder.to_owned()])
            .filter(|path| path.exists())
            .map(|p| p.display().to_string()),
    );
    left
}

/// A node with a process in it and in one of its cgroups; its network and its folder.
fn inhabited() -> Option<(Node, PathBuf, PathBuf)> {
    let mut node = match Node::enter() {
        Err(error) if error.is::<NotHere>() => return None,
        node => node.expect("a node"),
    };
    let pause = node.inside("pause");
    node.start("pause", pause).expect("a process");
    let inhabited = format!("/sys/fs/cgroup/memory/{}/cgroup.procs", node.cgroup);
    fs::write(inhabited, node.parts[0].pid().to_string()).expect("a cgroup");
    let network = network(&node.namespaces.pid().to_string())?;
    let folder = node.folder.path().to_owned();
    assert!(remains(&network, &folder).len() > 5);
    Some((node, network, folder))
}

#[test]
fn a_dropped_node_leaves_nothing() {
    // In a thread of its own, which stays in the network.
    let thread = std::thread::spawn(|| {
        inhabited().map(|(node, network, folder)| {
            drop(node);
            (network, folder)
        })
    });
    if let Some((network, folder)) = thread.join().unwrap() {
        assert_eq!(remains(&network, &folder), Vec::<String>::new());
    }
}

/// Run by the next test in a process of its own, which it kills.
#[test]
#[ignore = "only makes sense as the child of the next test"]
fn a_test_that_never_ends() {
    if let Some((_node, network, folder)) = inhabited() {
        println!("\nstarted {} {}", network.display(), folder.display());
        std::thread::sleep(Duration::from_hours(1));
    }
}

#[test]
fn a_killed_test_leaves_no_node() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--exact",
        "node::tests::a_test_that_never_ends",
        "--ignored",
        "--nocapture",
    ]);
    let mut test = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(test.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let started = lines.into_iter().find(|line| line.starts_with("started"));
    test.kill().unwrap();
    test.wait().unwrap();
    let Some(started) = started else { return };
    let words: Vec<&Path> = started.split(' ').map(Path::new).collect();
    let deadline = Instant::now() + Duration::from_secs(15);
    while !remains(words[1], words[2]).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(remains(words[1], words[2]), Vec::<String>::new());
}
