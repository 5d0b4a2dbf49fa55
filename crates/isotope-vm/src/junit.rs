//! Verdicts as JUnit XML, as CI systems read it.

use crate::verdict::{CheckResult, CheckStatus, Verdict};

/// One document for any number of guests.
#[must_use]
pub fn junit(verdicts: &[Verdict]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for verdict in verdicts {
        let name = format!("{} {}", verdict.image.display(), verdict.firmware.name());
        xml.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3}\">\n",
            escape(&name),
            verdict.results.len(),
            verdict.count(CheckStatus::Failed),
            verdict.count(CheckStatus::Skipped),
            verdict.seconds
        ));
        for result in &verdict.results {
            xml.push_str(&case(result));
        }
        xml.push_str("  </testsuite>\n");
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn case(result: &CheckResult) -> String {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
        escape(&result.element),
        escape(&result.name),
        result.seconds
    );
    let message = escape(&result.message);
    let first = escape(result.message.lines().next().unwrap_or_default());
    match result.status {
        CheckStatus::Passed => format!("{head}/>\n"),
        CheckStatus::Failed => {
            format!("{head}>\n      <failure message=\"{first}\">{message}</failure>\n    </testcase>\n")
        }
        CheckStatus::Skipped => format!("{head}>\n      <skipped message=\"{first}\"/>\n    </testcase>\n"),
    }
}

/// Escapes for text and attributes alike; characters that XML 1.0 cannot hold at all become U+FFFD.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            c if c < ' ' || c == '\u{fffe}' || c == '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::example;
    use isotope_sys::command::Tool;

    #[test]
    fn the_document_is_escaped() {
        let xml = junit(&[example()]);
        assert!(
            xml.contains("name=\"out/a&amp;b.qcow2 BIOS\" tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""),
            "{xml}"
        );
        assert!(xml.contains("&quot;x&quot; &amp; &lt;y&gt;]]&gt;\u{fffd}</failure>"), "{xml}");
        assert!(xml.contains("<skipped message=\"no swap\"/>"), "{xml}");
    }

    #[test]
    fn a_real_parser_reads_it() {
        let script = "import sys, xml.etree.ElementTree as e\n\
                      suite = e.parse(sys.stdin).getroot()[0]\n\
                      print(suite.get('name'), len(suite), suite[1][0].text.splitlines()[0])";
        let output = Tool::new("python3").args(["-c", script]).stdin(junit(&[example()])).run().unwrap();
        assert_eq!(output.text(), "out/a&b.qcow2 BIOS 3 exit status 1");
    }
}
