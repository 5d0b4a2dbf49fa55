//! The page of a synthetic build.

use super::super::tests::{build, ms};
use super::*;

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let html = page(&build());
    assert!(html.starts_with("<!doctype html>\n") && html.ends_with("</html>\n"));
    for word in ["<script", "<link", "<img", "http:", "https:", "@import", "url("] {
        assert!(!html.contains(word), "{word} in the page");
    }
    assert!(html.contains("prefers-color-scheme: dark"));
}

#[test]
fn what_programs_and_elements_say_is_text() {
    let mut record = build();
    record.name = "<b>\"x\"".into();
    record.steps[0].cached = Some("miss: variable A from '<i>' to \"&\"".into());
    record.ending = Ending::Failed("</p><script>".into());
    let html = page(&record);
    assert!(html.contains("<title>&lt;b&gt;&quot;x&quot;: timeline"));
    assert!(html.contains("make the &lt;base&gt; tree") && !html.contains("<base>"));
    assert!(html.contains("apt-get -o &#39;A=&quot;&lt;&amp;&gt;&quot;&#39; update"));
    assert!(html.contains("title=\"miss: variable A from &#39;&lt;i&gt;&#39; to &quot;&amp;&quot;\""));
    assert!(html.contains("&lt;/p&gt;&lt;script&gt;") && !html.contains("<script"));
}

#[test]
fn bars_stand_where_steps_and_their_parts_ran() {
    let html = page(&build());
    // 10 ms to 2010 ms of 3100 ms; the download from 100 to 900 ms.
    assert!(html.contains("style=\"left:0.323%;width:64.516%\" title=\"root/01-tree: make the &lt;base&gt; tree, 2.00 s, 3.50 s of CPU, 13 MiB\""));
    assert!(
        html.contains(
            "class=\"part\" style=\"left:3.226%;width:25.806%\" title=\"downloading: 0.80 s, 4 MiB, 5 MiB/s\""
        )
    );
    assert!(html.contains("title=\"partitioning a disk of 2 GiB: 0.40 s\""));
    assert!(html.contains("<b>3.10 s</b>") && html.contains("<b>4.00 s</b>") && html.contains("<b>2 of 3</b>"));
    assert!(html.contains("<code>/out/cloud.qcow2</code>"));
}

#[test]
fn every_tag_that_opens_closes() {
    let mut record = build();
    record.steps[0].cached = Some("hit".into());
    let html = page(&record);
    for tag in [
        "section", "details", "summary", "table", "tr", "td", "div", "span", "i", "em", "ol", "li", "pre", "p", "b",
        "small", "code",
    ] {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "<{tag}>");
    }
    assert!(html.contains("<em class=\"hit\" title=\"hit\">hit</em>") && html.contains("<b>1 of 1</b>"));
}

#[test]
fn a_build_that_was_cut_short_has_a_page() {
    let mut record = build();
    record.steps[1].ended = false;
    record.steps[1].cpu = None;
    record.ending = Ending::CutShort;
    let html = page(&record);
    assert!(html.contains("cut short") && html.contains(" broken\"") && html.contains(", did not end"));
    let empty = page(&Record { end: ms(0), ..Record::default() });
    assert!(empty.contains("0 of 0"));
}
