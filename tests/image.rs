//! The image: what the Dockerfile describes is what scripts/image packs for the tests.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs, reason = "a test")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What follows the last occurrence of an instruction of the Dockerfile.
fn instruction<'a>(dockerfile: &'a str, name: &str) -> &'a str {
    dockerfile
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix(name))
        .unwrap()
        .trim()
}

#[test]
fn the_dockerfile_builds_with_the_toolchain_of_the_repository() {
    let dockerfile = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let toolchain = fs::read_to_string(repository().join("rust-toolchain.toml")).unwrap();
    let version = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("ARG RUST="))
        .unwrap();
    assert!(
        toolchain.contains(&format!("channel = \"{version}\"")),
        "{version}: {toolchain}"
    );
}

#[test]
fn the_packed_image_is_the_one_of_the_dockerfile() {
    let dockerfile = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    let archive = Path::new(env!("CARGO_TARGET_TMPDIR")).join("image.tar");
    let packed = Command::new(repository().join("scripts/image"))
        .args([
            archive.as_os_str(),
            "test:test".as_ref(),
            env!("CARGO_BIN_EXE_transcribe-operator").as_ref(),
        ])
        .status();
    assert!(packed.unwrap().success());
    let read = |name: &str| {
        let output = Command::new("tar")
            .arg("-xOf")
            .arg(&archive)
            .arg(name)
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let manifest = read("manifest.json");
    let config = &read(manifest[0]["Config"].as_str().unwrap())["config"];
    assert_eq!(config["User"], instruction(&dockerfile, "USER "));
    assert_eq!(config["WorkingDir"], instruction(&dockerfile, "WORKDIR "));
    assert_eq!(
        config["Entrypoint"].to_string(),
        instruction(&dockerfile, "ENTRYPOINT ")
    );
}
