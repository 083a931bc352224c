//! `deploy/aggregator.toml` documents the configuration: its values are the program's defaults, and it leaves out no key.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clew_aggregator::config::Config;

/// No key is so called, and none is near enough to be meant.
const UNKNOWN: &str = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

fn deployed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/aggregator.toml")
}

/// What the program makes of `text`.
fn load(text: &str) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("aggregator.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(Some(&path)).map_err(|error| error.to_string())
}

#[test]
fn every_value_is_the_default() {
    let deployed = Config::load(Some(&deployed())).unwrap();
    // Both in full: a field that is added to the configuration is compared as well.
    assert_eq!(format!("{deployed:#?}"), format!("{:#?}", Config::load(None).unwrap()));
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

#[test]
fn every_other_sample_can_be_run_with() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    let folders = [
        "docker",
        "docker/tls",
        "kubernetes/base/aggregator",
        "kubernetes/overlays/single-node",
        "kubernetes/overlays/production",
    ];
    for path in folders.map(|folder| deploy.join(folder).join("aggregator.toml")) {
        let loaded = Config::load(Some(&path)).map(|_| ());
        assert!(loaded.is_ok(), "{}: {loaded:?}", path.display());
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
    let error = load(&format!("{header}\n{UNKNOWN} = 1\n")).unwrap_err();
    let (_, keys) = error.split_once("known here: ").unwrap_or_else(|| panic!("names no keys: {error}"));
    keys.split(", ").map(|key| path(section, key)).collect()
}

fn path(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}
