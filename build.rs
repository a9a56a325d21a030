//! Hands the compiler's facts to the benchmark report, and to the crate whether it is optimised.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(unoptimised)");
    if std::env::var("OPT_LEVEL").is_ok_and(|level| level == "0") {
        println!("cargo:rustc-cfg=unoptimised");
    }
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let version = Command::new(rustc)
        .arg("--version")
        .output()
        .ok()
        .and_then(|out| String::from_utf8(out.stdout).ok())
        .unwrap_or_else(|| "rustc unknown".into());
    println!("cargo:rustc-env=XENT_RUSTC={}", version.trim());
    for (name, key) in [
        ("XENT_TARGET", "TARGET"),
        ("XENT_TARGET_FEATURES", "CARGO_CFG_TARGET_FEATURE"),
        ("XENT_OPT_LEVEL", "OPT_LEVEL"),
    ] {
        println!("cargo:rustc-env={name}={}", std::env::var(key).unwrap_or_default());
    }
}
