//! Puts the web page (`ui/`) into the binary: each file as it stands and compressed, under one version that follows from all of them.
//! Whoever compiles the aggregator needs nothing else for that, no Node and no bundler.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

/// What is for people and for the type checker stays out.
const SERVED: [&str; 4] = ["html", "js", "css", "svg"];

fn main() {
    println!("cargo::rerun-if-changed=ui");
    let root = PathBuf::from(variable("CARGO_MANIFEST_DIR")).join("ui");
    let out = PathBuf::from(variable("OUT_DIR")).join("page");
    let mut names = Vec::new();
    list(&root, &root, &mut names);
    names.sort();

    let texts: Vec<(String, String)> = names.into_iter().map(|name| (read(&root.join(&name)), name)).collect();
    let mut hasher = DefaultHasher::new();
    for (text, name) in &texts {
        hasher.write(name.as_bytes());
        hasher.write(text.as_bytes());
    }
    let version = format!("{:016x}", hasher.finish());

    let mut table = format!("pub const VERSION: &str = \"{version}\";\n\npub const FILES: &[File] = &[\n");
    for (text, name) in &texts {
        // The document alone names the others by a path with the version; modules name each other by relative paths.
        let text = if name == "index.html" {
            text.replace("/assets/@/", &format!("/assets/{version}/"))
        } else {
            text.clone()
        };
        let plain = out.join(name);
        let packed = out.join(format!("{name}.gz"));
        fs::create_dir_all(plain.parent().expect("within the folder")).expect("make a folder");
        fs::write(&plain, &text).expect("write a file");
        fs::write(&packed, compressed(text.as_bytes())).expect("write a compressed file");
        table += &format!(
            "    File {{ name: {name:?}, plain: include_bytes!({plain:?}), packed: include_bytes!({packed:?}) }},\n"
        );
    }
    table += "];\n";
    fs::write(out.join("files.rs"), table).expect("write the table");
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// The served files below `folder`, as paths from `root`.
fn list(root: &Path, folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("list {}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            list(root, &path, names);
        } else if path.extension().is_some_and(|extension| SERVED.iter().any(|served| extension == *served)) {
            let name = path.strip_prefix(root).expect("below the root");
            names.push(name.to_str().expect("a name in ASCII").to_owned());
        }
    }
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}
