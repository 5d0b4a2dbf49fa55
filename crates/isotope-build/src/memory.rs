//! How much memory the host can spare.

/// `MemAvailable` in bytes; 0 where the kernel does not tell.
pub(crate) fn available() -> u64 {
    std::fs::read_to_string("/proc/meminfo").map_or(0, |text| parse(&text))
}

fn parse(meminfo: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kibibytes =
        line.and_then(|rest| rest.trim().strip_suffix("kB")).and_then(|count| count.trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    #[test]
    fn meminfo_as_the_kernel_writes_it() {
        let text = "MemTotal:       24684096 kB\nMemFree:        23300000 kB\nMemAvailable:   23610000 kB\n";
        assert_eq!(super::parse(text), 23_610_000 << 10);
        assert_eq!(super::parse("MemTotal: 1 kB\n"), 0);
    }
}
