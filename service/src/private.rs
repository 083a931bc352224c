//! What a program writes is for its own account alone.

use rustix::fs::Mode;
use rustix::process::umask;

/// Takes the rights of group and others off all files and folders that the process makes from now on, wherever they lie. To be called
/// first thing when a program begins to run: log lines, and what is known of them, are for no other account of the machine.
pub fn files() {
    umask(Mode::RWXG | Mode::RWXO);
}
