//! `deploy/agent.toml` documents the configuration: its values are the program's defaults, and it leaves out no key.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clew_agent::config::Config;

/// No key is so called, and none is near enough to be meant.
const UNKNOWN: &str = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

fn deployed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/agent.toml")
}

/// What the program makes of `text`.
fn load(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("agent.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&path).map_err(|error| error.to_string())
}

#[test]
fn every_value_is_the_default() {
    let deployed = Config::load(&deployed()).unwrap();
    let source = "[[source]]\nservice = 'payments'\ninclude = ['/var/log/payments/*.log']\n";
    // Both in full: a field that is added to the configuration is compared as well.
    assert_eq!(format!("{deployed:#?}"), format!("{:#?}", load(source).unwrap()));
}

#[test]
fn every_key_is_mentioned_and_no_other() {
    let text = std::fs::read_to_string(deployed()).unwrap();
    let (headers, mentioned) = mentioned(&text);
    let mut known = known("", "");
    for header in headers {
        let section = header.trim_matches(['[', ']']);
        known.extend(self::known(&header, section));
    }
    assert_eq!(mentioned, known);
}

/// Each of `deploy/sources` and every other agent.toml in `deploy` stands for itself.
#[test]
fn every_sample_can_be_run_with() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let sources = std::fs::read_dir(deploy.join("sources")).unwrap().map(|entry| entry.unwrap().path());
    let others = [
        "docker",
        "docker/tls",
        "kubernetes/base/agent",
        "kubernetes/components/tls",
        "kubernetes/components/sidecar",
        "kubernetes/components/sidecar-tls",
    ];
    let samples: Vec<PathBuf> = sources.chain(others.map(|folder| deploy.join(folder).join("agent.toml"))).collect();
    for path in &samples {
        let loaded = Config::load(path).map(|config| config.sources.len());
        assert!(loaded.as_ref().is_ok_and(|sources| *sources > 0), "{}: {loaded:?}", path.display());
    }
    // All of them can be appended to one file.
    let all: String = samples
        .iter()
        .filter(|path| path.parent().unwrap().ends_with("sources"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    load(&all).unwrap();
}

/// What speaks TLS is otherwise as it is without.
#[test]
fn samples_by_tls_differ_in_nothing_else() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let values = |folder: &str| -> toml::Table {
        std::fs::read_to_string(deploy.join(folder).join("agent.toml")).unwrap().parse().unwrap()
    };
    for (plain, by_tls) in [
        ("docker", "docker/tls"),
        ("kubernetes/base/agent", "kubernetes/components/tls"),
        ("kubernetes/components/sidecar", "kubernetes/components/sidecar-tls"),
    ] {
        let mut same = values(by_tls);
        assert!(same.remove("tls").is_some());
        let address = same["aggregator"].as_str().unwrap().replace("https://", "http://");
        same.insert("aggregator".into(), address.into());
        assert_eq!(same, values(plain), "{by_tls}");
    }
}

/// The headers of sections, and all sections and keys, commented out or not.
fn mentioned(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut headers, mut mentioned, mut section) = (BTreeSet::new(), BTreeSet::new(), String::new());
    for line in text.lines().map(|line| line.trim_start_matches(['#', ' '])) {
        if line.starts_with('[') {
            section = line.trim_matches(['[', ']']).to_owned();
            headers.insert(line.to_owned());
            mentioned.insert(section.clone());
        } else if let Some((key, _)) = line.split_once('=')
            && key.trim_end().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            mentioned.insert(path(&section, key.trim_end()));
        }
    }
    (headers, mentioned)
}

/// The keys of a section: those that the program names when it does not know one.
fn known(header: &str, section: &str) -> BTreeSet<String> {
    // A table of a source needs one.
    let source = if section.starts_with("source.") { "[[source]]\nservice = 'a'\ninclude = ['/a']\n" } else { "" };
    let error = load(&format!("{source}{header}\n{UNKNOWN} = 1\n")).unwrap_err();
    let (_, keys) = error.split_once("known here: ").unwrap_or_else(|| panic!("names no keys: {error}"));
    keys.split(", ").map(|key| path(section, key)).collect()
}

fn path(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}
