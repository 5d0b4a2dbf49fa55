//! Block devices compared with diskimage-builder itself, which stands in a virtualenv of its own: `ISOTOPE_TEST_DIB` names it
//! (`python3 -m venv DIR && DIR/bin/pip install diskimage-builder==3.43.0`). Without the variable nothing is compared, and the test
//! says so. Nothing of it is run as root, and no device is touched.

mod upstream;

use isotope_plan::blockdev::{Config, Graph, Params};
use serde_json::Value;
use std::path::PathBuf;
use upstream::Upstream;

/// What upstream makes of each file: its normalised configuration, edges and order, or its error.
const GRAPHS: &str = r#"
import json, os, sys, yaml
from diskimage_builder.block_device.config import config_tree_to_graph, create_graph
defaults = {'build-dir': '/fake', 'image-size': '1000', 'image-dir': '/fake', 'mount-base': '/fake'}
found = {}
for path in sys.argv[1:]:
    result = found[path] = {}
    try:
        config = result['config'] = config_tree_to_graph(yaml.safe_load(open(path)))
        graph, order = create_graph(config, defaults, {})
        result['order'] = [node.name for node in order]
        result['edges'] = sorted(list(edge) for edge in graph.edges)
    except Exception as error:
        result['error'] = str(error)
json.dump(found, sys.stdout)
"#;

/// Configurations with plugins that only upstream's own unit tests have.
const FOREIGN: [&str; 2] = ["cmd_create.yaml", "rollback.yaml"];

fn files(upstream: &Upstream) -> Vec<PathBuf> {
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../isotope-plan/tests/blockdev");
    let mut files = Vec::new();
    for dir in upstream.config_dirs().into_iter().chain([ours]) {
        let entries = std::fs::read_dir(&dir).unwrap_or_else(|error| panic!("{}: {error}", dir.display()));
        files.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".yaml") && !FOREIGN.contains(&name.as_ref())
        }));
    }
    files.sort();
    assert!(files.len() > 25, "upstream has more configurations than {}", files.len());
    files
}

#[test]
fn graphs_orders_and_errors_are_upstreams() {
    let Some(upstream) = Upstream::find() else { return };
    let files = files(&upstream);
    let args: Vec<&str> = files.iter().filter_map(|path| path.to_str()).collect();
    let theirs: Value = serde_json::from_str(&upstream.python(GRAPHS, &args)).unwrap();
    let mut sound = 0;
    for path in &files {
        let theirs = &theirs[path.to_str().unwrap()];
        let text = std::fs::read_to_string(path).unwrap();
        let config = Config::parse(path, &text);
        if let (Ok(config), Some(wanted)) = (&config, theirs.get("config")) {
            assert_eq!(&config.to_json(), wanted, "{}", path.display());
        }
        match (config.and_then(|config| Graph::new(&config, &Params::default())), theirs.get("error")) {
            (Ok(graph), None) => {
                sound += 1;
                let ours = graph.to_json();
                assert_eq!(ours["edges"], theirs["edges"], "{}", path.display());
                assert_eq!(ours["order"], theirs["order"], "{}", path.display());
            }
            (Err(errors), Some(error)) => {
                // Upstream ends some messages with the whole entry, and some of ours say more behind it.
                let wanted = error.as_str().unwrap().to_lowercase();
                let wanted = wanted.split(": {").next().unwrap();
                let found = errors.problems.iter().any(|problem| problem.message.to_lowercase().contains(wanted));
                assert!(found, "{}: upstream says {error}, we say {errors}", path.display());
            }
            (Ok(_), Some(error)) => panic!("{}: upstream refuses it: {error}", path.display()),
            (Err(errors), None) => panic!("{}: upstream takes it: {errors}", path.display()),
        }
    }
    assert!(sound >= 20, "only {sound} configurations are without error");
}
