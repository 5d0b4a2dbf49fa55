//! The table in which dnf shows a transaction before it asks: package, architecture, version, repository, size. Pure.

use crate::package::ResolvedPackage;

/// Words that a heading of the table begins with.
const HEADINGS: [&str; 5] = ["Installing", "Upgrading", "Reinstalling", "Downgrading", "Enabling"];

/// The packages it would install, sorted. A row may be broken into two lines where a name is long.
pub fn parse(lines: &[String]) -> Vec<ResolvedPackage> {
    let start = lines.iter().position(|line| HEADINGS.iter().any(|heading| line.starts_with(heading)));
    let rows = lines.iter().skip(start.unwrap_or(lines.len()));
    let rows = rows.take_while(|line| !line.starts_with("Transaction Summary"));
    // Rows are indented, headings are not.
    let words: Vec<&str> = rows.filter(|line| line.starts_with(' ')).flat_map(|line| line.split_whitespace()).collect();
    let mut packages = Vec::new();
    let mut rest = words.as_slice();
    while let [name, arch, version, repository, _size, after @ ..] = rest {
        packages.push(ResolvedPackage { name: format!("{name}-{version}.{arch}"), digest: (*repository).to_owned() });
        rest = match after {
            // Bytes have no unit.
            ["k" | "M" | "G" | "T", after @ ..] => after,
            after => after,
        };
    }
    packages.sort();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_also_where_they_are_broken() {
        let text = "Dependencies resolved.\n=====\n Package   Arch   Version   Repository   Size\n=====\n\
            Installing:\n poc-app    noarch    1.0-1    local    6.1 k\nInstalling dependencies:\n\
            \x20a-very-long-name-of-a-package\n            x86_64    2:3.4-5.fc42    updates    876  \n poc-lib noarch 1-1 local 12 M\n\n\
            Transaction Summary\n=====\nInstall  3 Packages\n Total size: 1 k\nOperation aborted.\n";
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let found: Vec<String> =
            parse(&lines).into_iter().map(|package| format!("{} {}", package.name, package.digest)).collect();
        assert_eq!(
            found,
            [
                "a-very-long-name-of-a-package-2:3.4-5.fc42.x86_64 updates",
                "poc-app-1.0-1.noarch local",
                "poc-lib-1-1.noarch local"
            ]
        );
        assert!(parse(&["Error: nothing".to_owned()]).is_empty());
    }
}
