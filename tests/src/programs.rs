//! Where the binaries are, and ports for them.

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below Linux's ephemeral range (32768 and up), so that no outgoing connection of another test sits on a port while its
/// owner is dead, and no agent that reconnects to a dead aggregator meets itself.
const PORTS: std::ops::Range<u16> = 18_000..32_000;

/// The path of one of our programs: `$CLEW_BIN_DIR`, else `target/<profile>` beside the test executable.
pub fn path(program: &str) -> PathBuf {
    let folder = match std::env::var_os("CLEW_BIN_DIR") {
        Some(folder) => PathBuf::from(folder),
        None => {
            let own = std::env::current_exe().expect("the test executable has a path");
            own.ancestors().nth(2).expect("target/<profile>/deps/<test>").to_path_buf()
        }
    };
    let path = folder.join(program);
    assert!(path.is_file(), "{} is missing: run cargo build --workspace --bins first", path.display());
    path
}

/// A port on 127.0.0.1 that nothing listens on, given out once per process.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let span = PORTS.end - PORTS.start;
    let start = (std::process::id() as u16).wrapping_mul(199) % span;
    for _ in 0..span {
        let port = PORTS.start + (start + NEXT.fetch_add(1, Ordering::Relaxed) % span) % span;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port in {PORTS:?}");
}
