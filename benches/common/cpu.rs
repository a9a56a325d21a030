//! The machine.

/// What the processor calls itself.
pub fn cpu() -> String {
    let linux = || {
        let info = read("/proc/cpuinfo")?;
        let line = info.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let macos = || {
        let mut sysctl = std::process::Command::new("sysctl");
        let output = sysctl.args(["-n", "machdep.cpu.brand_string"]).output().ok()?;
        let name = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (!name.is_empty()).then_some(name)
    };
    linux().or_else(macos).unwrap_or_else(|| format!("unknown {}", std::env::consts::ARCH))
}

/// Linux's choice about transparent huge pages.
pub fn huge_pages() -> Option<String> {
    bracketed(&read("/sys/kernel/mm/transparent_hugepage/enabled")?)
}

fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

/// The word in brackets, which is how Linux shows a choice.
fn bracketed(all: &str) -> Option<String> {
    Some(all.split_once('[')?.1.split_once(']')?.0.to_owned())
}
