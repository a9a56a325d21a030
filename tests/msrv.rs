//! The stated `rust-version` is not below what a dependency of users needs.
//!
//! The language and library features that the crate itself uses are checked by clippy's
//! `incompatible_msrv`, which Cargo.toml denies; AVX-512 intrinsics set the floor at 1.89.

use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::process::Command;

fn version(text: &str) -> Vec<u32> {
    text.split('.').map(|part| part.parse().expect("a version number")).collect()
}

#[test]
fn no_dependency_of_users_needs_a_newer_compiler_than_the_crate() {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline"])
        .args(["--filter-platform", env!("XENT_TARGET")])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    if !out.status.success() {
        // Under an emulator there is no cargo to ask; the native run has checked it.
        assert!(std::env::var_os("XENT_TEST_SMALL").is_some(), "cargo metadata failed");
        return;
    }
    let metadata: Value = serde_json::from_slice(&out.stdout).expect("cargo prints JSON");
    let packages: HashMap<&str, &Value> = metadata["packages"]
        .as_array()
        .expect("packages")
        .iter()
        .map(|p| (p["id"].as_str().expect("id"), p))
        .collect();
    let nodes: HashMap<&str, &Value> = metadata["resolve"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .map(|n| (n["id"].as_str().expect("id"), n))
        .collect();
    let root = metadata["resolve"]["root"].as_str().expect("root");
    let ours = version(packages[root]["rust_version"].as_str().expect("rust-version"));

    let mut seen = HashSet::from([root]);
    let mut queue = vec![root];
    while let Some(id) = queue.pop() {
        for dep in nodes[id]["deps"].as_array().expect("deps") {
            // `kind: null` is a normal dependency, the only kind that a user compiles and links.
            let normal =
                dep["dep_kinds"].as_array().expect("kinds").iter().any(|k| k["kind"].is_null());
            let dep = dep["pkg"].as_str().expect("pkg");
            if normal && seen.insert(dep) {
                queue.push(dep);
            }
        }
    }
    assert!(seen.len() > 3, "the walk over the dependencies found only {seen:?}");
    for id in seen {
        if let Some(needs) = packages[id]["rust_version"].as_str() {
            assert!(version(needs) <= ours, "{id} needs Rust {needs}, the crate states {ours:?}");
        }
    }
}
