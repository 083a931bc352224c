//! Reading files that grow; who reads how much when is the pipeline's business.
//!
//! | file | what it is |
//! | --- | --- |
//! | `beneath` | opening below a root without passing a symbolic link |
//! | `file` | an open log file, plain or compressed |
//! | `inflate` | the decompressed bytes of a gzip or zstd file, by position |

pub mod beneath;
pub mod file;
pub mod inflate;
