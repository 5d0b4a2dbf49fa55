//! What people read when a manifest is wrong: every message, with its place.

use super::tests::{errors, written};
use crate::load;

#[test]
fn every_wrong_key_and_type_is_told_at_once() {
    let text = r#"sumary = "typo"
requires = "vm"
[vars.release]
type = "sting"
default = "x"
[[packages]]
names = ["a", 3]
phase = "instal"
when = { family = "debain", arc = "x86_64" }
[[layout.partitions]]
name = "root"
filesystem = { type = "ext4", passno = 7 }
"#;
    insta::assert_snapshot!(errors(&[("e/element.toml", text)]), @r##"
    error: unknown key `sumary`
     --> e/element.toml:1:1
      |
    1 | sumary = "typo"
      | ^^^^^^
      hint: did you mean `summary`?
    error: `requires` is a string, but a list is expected
     --> e/element.toml:2:12
      |
    2 | requires = "vm"
      |            ^^^^
      hint: put it in brackets: ["…"]
    error: `vars.release.type` cannot be "sting"
     --> e/element.toml:4:8
      |
    4 | type = "sting"
      |        ^^^^^^^
      hint: did you mean `string`?
    error: `packages.names` is a whole number, but a string is expected
     --> e/element.toml:7:15
      |
    7 | names = ["a", 3]
      |               ^
      hint: put it in quotes
    error: `packages.phase` cannot be "instal"
     --> e/element.toml:8:9
      |
    8 | phase = "instal"
      |         ^^^^^^^^
      hint: did you mean `install`?
    error: `packages.when.family` cannot be "debain"
     --> e/element.toml:9:19
      |
    9 | when = { family = "debain", arc = "x86_64" }
      |                   ^^^^^^^^
      hint: did you mean `debian`?
    error: unknown key `arc` in `packages.when`
     --> e/element.toml:9:29
      |
    9 | when = { family = "debain", arc = "x86_64" }
      |                             ^^^
      hint: did you mean `arch`?
    error: `layout.partitions` lacks the key `kind`
      --> e/element.toml:10:1
       |
    10 | [[layout.partitions]]
       | ^^^^^^^^^^^^^^^^^^^^^
      hint: add `kind = …`: `bios-boot`, `esp`, `swap`, `root`, `boot`, `linux`, or a template.
    error: `layout.partitions` lacks the key `size`
      --> e/element.toml:10:1
       |
    10 | [[layout.partitions]]
       | ^^^^^^^^^^^^^^^^^^^^^
      hint: add `size = …`: `rest`, `auto`, a size, a percentage, or a template.
    error: `layout.partitions.filesystem.passno` is 7, but goes from 0 to 2
      --> e/element.toml:12:40
       |
    12 | filesystem = { type = "ext4", passno = 7 }
       |                                        ^
    "##);
}

#[test]
#[expect(clippy::too_many_lines, reason = "the messages, as a table")]
fn what_only_a_reader_notices_is_told_at_once() {
    let text = r#"summary = "x"
requires = ["e", "Bad Name", "vm", "vm"]
conflicts = ["vm"]
[vars.each]
type = "string"
[vars.size]
type = "size"
default = "10 GiG"
[vars.on]
type = "bool"
values = ["a"]
env = "1X"
[vars.fs]
type = "enum"
[[packages]]
names_from = "on"
[[files]]
source = "../files"
dest = "etc"
mode = "rw"
[[templates]]
source = "templates/motd.hbs"
dest = "/etc/{{hostnam}}"
[[services]]
enable = ["ssh"]
phase = "root"
[bootloader]
bios = "ja"
[[checks]]
name = "c"
"#;
    insta::assert_snapshot!(errors(&[("e/element.toml", text), ("e/templates/motd", "")]), @r##"
    error: `requires` names the element itself
     --> e/element.toml:2:13
      |
    2 | requires = ["e", "Bad Name", "vm", "vm"]
      |             ^^^
    error: "Bad Name" in `requires` is no name: lower case letters, digits and `-`
     --> e/element.toml:2:18
      |
    2 | requires = ["e", "Bad Name", "vm", "vm"]
      |                  ^^^^^^^^^^
    error: `requires` names vm twice
     --> e/element.toml:2:36
      |
    2 | requires = ["e", "Bad Name", "vm", "vm"]
      |                                    ^^^^
    error: the element conflicts with `vm`, which it requires itself
     --> e/element.toml:3:14
      |
    3 | conflicts = ["vm"]
      |              ^^^^
      hint: take it out of one of the two lists
    error: a variable cannot be called `each`: templates give that word another meaning
     --> e/element.toml:4:1
      |
    4 | [vars.each]
      | ^^^^^^^^^^^
    error: the default does not fit: `size`: "GiG" in "10 GiG" is no unit: use KiB, MiB, GiB, TiB (times 1024) or KB, MB, GB, TB (times 1000)
     --> e/element.toml:8:11
      |
    8 | default = "10 GiG"
      |           ^^^^^^^^
    error: `values` is for enums, and `on` is a bool
      --> e/element.toml:11:10
       |
    11 | values = ["a"]
       |          ^^^^^
    error: "1X" is no name of an environment variable
      --> e/element.toml:12:7
       |
    12 | env = "1X"
       |       ^^^^
    error: the enum `fs` lacks `values`
      --> e/element.toml:14:8
       |
    14 | type = "enum"
       |        ^^^^^^
      hint: add values = ["…", "…"]
    error: `names_from` takes a list; `on` is a bool
      --> e/element.toml:16:14
       |
    16 | names_from = "on"
       |              ^^^^
    error: `source` is a path inside the element; "../files" is not
      --> e/element.toml:18:10
       |
    18 | source = "../files"
       |          ^^^^^^^^^^
    error: `dest` is an absolute path in the target; "etc" is not
      --> e/element.toml:19:8
       |
    19 | dest = "etc"
       |        ^^^^^
    error: "rw" is no mode: four octal digits like "0644" are expected
      --> e/element.toml:20:8
       |
    20 | mode = "rw"
       |        ^^^^
    error: there is no e/templates/motd.hbs
      --> e/element.toml:22:10
       |
    22 | source = "templates/motd.hbs"
       |          ^^^^^^^^^^^^^^^^^^^^
    error: `hostnam` is not a variable of this element
      --> e/element.toml:23:16
       |
    23 | dest = "/etc/{{hostnam}}"
       |                ^^^^^^^
      hint: its variables: each, fs, on, size
    error: "ssh" is no unit: its type is missing
      --> e/element.toml:25:11
       |
    25 | enable = ["ssh"]
       |           ^^^^^
      hint: write the whole name: ssh.service
    error: this cannot be done in the phase root
      --> e/element.toml:26:9
       |
    26 | phase = "root"
       |         ^^^^^^
      hint: phases that can: pre-install, install, post-install, finalise
    error: "ja" is given where true or false is expected
      --> e/element.toml:28:8
       |
    28 | bios = "ja"
       |        ^^^^
      hint: or a template: "{{variable}}"
    error: this check has neither `run` nor `script`
      --> e/element.toml:29:1
       |
    29 | [[checks]]
       | ^^^^^^^^^^
      hint: give one of them
    "##);
}

#[test]
fn templates_are_marked_where_they_stand() {
    let text = r#"summary = "x"
[vars.list]
type = "list"
default = []
[distro]
name = "debian"
family = "debian"
release = "{{target.release}}"
[[templates]]
source = "t.hbs"
dest = "/t"
[[checks]]
name = "escapes"
run = "test \"{{#if (eq target.ach \"x\")}}a{{/if}}\" = \"{{lits}}\""
[[checks]]
name = "lines"
run = '''
true
{{#if list}}{{nolist}}{{/if}}
'''
"#;
    let template = "{{#each list}}\n  {{this}} {{list}} {{../list}}\n{{else}}\n{{#if unknown}}x{{/if}}\n{{/each}}\n{{upper list}}{{> part}}\n";
    insta::assert_snapshot!(errors(&[("e/element.toml", text), ("e/t.hbs", template)]), @r##"
    error: `target.release` is not known yet where the distribution itself is declared
     --> e/element.toml:8:14
      |
    8 | release = "{{target.release}}"
      |              ^^^^^^^^^^^^^^
      hint: known there: target.arch, target.deb_arch
    error: `target.ach` is unknown
      --> e/element.toml:14:25
       |
    14 | run = "test \"{{#if (eq target.ach \"x\")}}a{{/if}}\" = \"{{lits}}\""
       |                         ^^^^^^^^^^
      hint: did you mean `arch`?
    error: `lits` is not a variable of this element
      --> e/element.toml:14:61
       |
    14 | run = "test \"{{#if (eq target.ach \"x\")}}a{{/if}}\" = \"{{lits}}\""
       |                                                             ^^^^
      hint: did you mean `list`?
    error: `nolist` is not a variable of this element
      --> e/element.toml:19:15
       |
    19 | {{#if list}}{{nolist}}{{/if}}
       |               ^^^^^^
      hint: did you mean `list`?
    error: `list` is not part of a list's item
     --> e/t.hbs:2:14
      |
    2 |   {{this}} {{list}} {{../list}}
      |              ^^^^
      hint: inside {{#each}} write `../list`
    error: `unknown` is not a variable of this element
     --> e/t.hbs:4:7
      |
    4 | {{#if unknown}}x{{/if}}
      |       ^^^^^^^
      hint: its variables: list
    error: `upper` is no helper
     --> e/t.hbs:6:3
      |
    6 | {{upper list}}{{> part}}
      |   ^^^^^
      hint: helpers: and, each, eq, gt, gte, if, join, len, lookup, lt, lte, ne, not, or, quote_sh, unless
    error: partials (`{{> …}}`) are not available in templates
     --> e/t.hbs:6:15
      |
    6 | {{upper list}}{{> part}}
      |               ^^
    "##);
}

#[test]
fn variables_of_other_elements_are_known_at_load_time() {
    let vm = "summary = \"vm\"\n[vars.root_fs]\ntype = \"enum\"\nvalues = [\"ext4\", \"xfs\"]\ndefault = \"ext4\"\n";
    let e = r#"summary = "e"
[properties]
a = "{{vm.root_fs}} {{vm.rootfs}} {{vmm.root_fs}}"
[[packages]]
names = ["p"]
when = { vars = { "vm.root_fs" = "ext5", "absent.x" = "1" } }
"#;
    insta::assert_snapshot!(errors(&[("e/element.toml", e), ("vm/element.toml", vm)]), @r##"
    error: `vm` has no variable `rootfs`
     --> e/element.toml:3:23
      |
    3 | a = "{{vm.root_fs}} {{vm.rootfs}} {{vmm.root_fs}}"
      |                       ^^^^^^^^^
      hint: did you mean `root_fs`?
    error: `vmm.root_fs` names an element that is not there
     --> e/element.toml:3:37
      |
    3 | a = "{{vm.root_fs}} {{vm.rootfs}} {{vmm.root_fs}}"
      |                                     ^^^^^^^^^^^
      hint: did you mean `vm`?
    error: this condition never holds: `root_fs` is one of ext4, xfs; "ext5" is not
     --> e/element.toml:6:34
      |
    6 | when = { vars = { "vm.root_fs" = "ext5", "absent.x" = "1" } }
      |                                  ^^^^^^
      hint: did you mean `ext4`?
    "##);
}

#[test]
fn rules_and_patterns_that_say_nothing() {
    let text = r#"summary = "x"
[vars.a]
type = "string"
pattern = "[a-z"
expects = "letters"
default = ""
[vars.b]
type = "string"
pattern = "[a-z]*"
default = ""
[vars.c]
type = "int"
pattern = "[0-9]"
expects = "a digit"
default = 1
[vars.d]
type = "list"
pattern = "[a-z]*"
expects = "small letters"
default = ["X"]
[[rules]]
message = "always"
[[rules]]
refuse = "a"
message = "x {{e}}"
"#;
    insta::assert_snapshot!(errors(&[("e/element.toml", text)]));
}

#[test]
fn broken_toml_and_broken_paths_are_named() {
    insta::assert_snapshot!(errors(&[("e/element.toml", "summary = \nx = [1,\n"), ("f/element.toml", "summary = \"unclosed\n")]), @r##"
    error: not TOML: string values must be quoted, expected literal string
     --> e/element.toml:1:11
      |
    1 | summary = 
      |           ^
    error: not TOML: unclosed array, expected `]`
     --> e/element.toml:2:8
      |
    2 | x = [1,
      |        ^
    error: not TOML: invalid basic string, expected `"`
     --> f/element.toml:1:20
      |
    1 | summary = "unclosed
      |                    ^
    "##);
    let dir = written(&[("file", "")]);
    let found = load(&[dir.path().join("file"), dir.path().join("absent")]).unwrap_err();
    assert!(found[0].file.ends_with("absent") && found[1].file.ends_with("file"), "{found:?}");
}
