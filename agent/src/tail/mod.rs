//! Open log files: plain ones by position, compressed ones by the position of their decompressed bytes.

pub mod file;
pub mod inflate;
