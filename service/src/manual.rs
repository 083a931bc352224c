//! A program's man pages and shell completions, written from its own command line, so that they say what it takes.
//!
//! | below the folder | what it is |
//! | --- | --- |
//! | `man/NAME.1`, `man/NAME-SUBCOMMAND.1` | man pages |
//! | `bash/NAME`, `zsh/_NAME`, `fish/NAME.fish` | completions, named as these shells look for them |

use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;

/// Writes them below `folder`.
pub fn write(command: &Command, folder: &Path) -> io::Result<()> {
    let name = command.get_name().to_owned();
    let pages = folder.join("man");
    std::fs::create_dir_all(&pages)?;
    clap_mangen::generate_to(command.clone(), &pages)?;
    for (shell, file) in
        [(Shell::Bash, name.clone()), (Shell::Zsh, format!("_{name}")), (Shell::Fish, format!("{name}.fish"))]
    {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), &name, &mut text);
        let folder = folder.join(shell.to_string());
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(file), text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_for_each_subcommand_and_a_file_for_each_shell() {
        let folder = std::env::temp_dir().join(format!("manual-{}", std::process::id()));
        let command = Command::new("thread")
            .subcommand(Command::new("wind").about("Wind it up").arg(clap::arg!(--slowly)))
            .subcommand(Command::new("manual").hide(true));
        write(&command, &folder).unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert!(read("man/thread.1").contains("wind"));
        assert!(read("man/thread-wind.1").contains("slowly"));
        assert!(!folder.join("man/thread-manual.1").exists());
        for name in ["bash/thread", "zsh/_thread", "fish/thread.fish"] {
            assert!(read(name).contains("slowly"), "{name}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
