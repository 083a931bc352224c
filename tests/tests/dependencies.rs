//! Everything that is built in comes from where it may, under terms that are agreed, and is nothing that is banned: what `deny.toml` says, as far as
//! that needs no network.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

fn rules() -> toml::Table {
    std::fs::read_to_string(root().join("deny.toml")).expect("read deny.toml").parse().expect("TOML")
}

fn texts(value: &toml::Value) -> Vec<String> {
    let texts = value.as_array().expect("a list").iter();
    texts.map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// Every package that a build on Linux has.
fn packages() -> Vec<Value> {
    let target = "x86_64-unknown-linux-gnu";
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", target])
        .current_dir(root())
        .output()
        .expect("start cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn name(package: &Value) -> String {
    format!("{} {}", package["name"].as_str().unwrap_or_default(), package["version"].as_str().unwrap_or_default())
}

#[test]
fn every_license_is_one_that_is_agreed() {
    let allowed: Vec<LicenseReq> = texts(&rules()["licenses"]["allow"])
        .iter()
        .map(|text| {
            let expression = Expression::parse(text).unwrap_or_else(|error| panic!("deny.toml: {error}"));
            expression.requirements().next().expect("a license").req.clone()
        })
        .collect();
    // As crates were once told to write it: `MIT/Apache-2.0`.
    let mode = ParseMode { allow_slash_as_or_operator: true, ..ParseMode::LAX };
    let is_agreed = |license: &str| {
        Expression::parse_mode(license, mode).is_ok_and(|license| license.evaluate(|asked| allowed.contains(asked)))
    };
    assert!(is_agreed("MIT OR GPL-3.0-only") && !is_agreed("MIT AND GPL-3.0-only") && !is_agreed("AGPL-3.0-or-later"));
    let wrong: Vec<String> = packages()
        .iter()
        .filter(|package| !package["license"].as_str().is_some_and(is_agreed))
        .map(|package| format!("{}: {}", name(package), package["license"]))
        .collect();
    assert!(wrong.is_empty(), "not agreed to in deny.toml: {wrong:#?}");
}

#[test]
fn everything_comes_from_where_it_may_and_nothing_is_banned() {
    let rules = rules();
    let sources = texts(&rules["sources"]["allow-registry"]);
    let banned: Vec<&str> =
        rules["bans"]["deny"].as_array().expect("a list").iter().filter_map(|ban| ban["name"].as_str()).collect();
    assert!(banned.contains(&"openssl"));
    for package in packages() {
        let is_ours = package["source"].is_null();
        let registry = package["source"].as_str().and_then(|source| source.strip_prefix("registry+"));
        assert!(
            is_ours || registry.is_some_and(|registry| sources.iter().any(|source| source == registry)),
            "{}: {}",
            name(&package),
            package["source"]
        );
        let own = package["name"].as_str().unwrap_or_default();
        assert!(!banned.contains(&own), "{own} is banned in deny.toml; `cargo tree -i {own}` says who wants it");
        if is_ours {
            let needs = package["dependencies"].as_array().expect("a list").iter();
            for need in needs.filter(|need| need["path"].is_null()) {
                assert_ne!(need["req"], "*", "{}: {} in any version", name(&package), need["name"]);
            }
        }
    }
}
