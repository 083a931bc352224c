//! Which files there are. Walking the globs is the truth; watching directories only makes it faster.
//!
//! | file | what it is |
//! | --- | --- |
//! | `glob` | patterns with captures, and excludes |
//! | `rotated` | the live name behind a rotated one; what a name says about the contents |
//! | `roots` | the directories that an operator named, opened |
//! | `links` | symbolic links that may be followed |
//! | `walk` | the directories and files that the patterns name now |
//! | `verdict` | whether one path is read, and which rule decides |
//! | `watch` | hints that a directory or a file changed |

pub mod glob;
pub mod links;
pub mod roots;
pub mod rotated;
pub mod verdict;
pub mod walk;
pub mod watch;
