//! The commands, and the folder that they leave.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::PublicKeyData;

use super::{DAY_S, Folder, NOW_S, states};
use crate::pki::authority;
use crate::pki::command::{PkiCommand, run_at};

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn renewal_replaces_the_files_and_keeps_the_key_when_asked() {
    let folder = Folder::new();
    let mut seen = Vec::new();
    for line in ["server clew", "server clew", "server clew --keep-key"] {
        folder.pki(line).unwrap();
        seen.push((folder.text("server.crt"), folder.text("server.key")));
        let key = authority::parse_key(Path::new("server.key"), &folder.text("server.key")).unwrap();
        let der = folder.certificate("server.crt");
        let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
        assert_eq!(certificate.public_key().raw, key.subject_public_key_info());
    }
    assert!(seen[0].0 != seen[1].0 && seen[0].1 != seen[1].1);
    assert!(seen[1].0 != seen[2].0 && seen[1].1 == seen[2].1);
    assert_eq!(folder.states(NOW_S), states(&[("clew", "good"); 3]));
    assert_eq!(folder.states(NOW_S + 398 * DAY_S), states(&[("clew", "expired"); 3]));
    let (list, _) = folder.pki("list").unwrap();
    let head: Vec<&str> = list.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["SERIAL", "KIND", "NAMES", "STATE", "EXPIRES"]);
    assert!(list.lines().nth(1).unwrap().ends_with(&authority::rfc3339(NOW_S + 397 * DAY_S)), "{list}");
    std::fs::remove_file(folder.path("server.key")).unwrap();
    assert!(folder.refused("server clew --keep-key").contains("server.key"));
    assert_eq!(folder.issued().len(), 3);
}

#[test]
fn modes_and_remarks_give_no_key_away() {
    let folder = Folder::empty();
    let said: Vec<String> = ["init", "server clew", "agent web-1", "list", "revoke web-1"]
        .map(|line| folder.pki(line).map(|(out, remarks)| out + &remarks).unwrap())
        .to_vec();
    let wanted = [("", 0o700), ("agents", 0o700), ("ca.crt", 0o644), ("ca.crl", 0o644), ("server.crt", 0o644)];
    let private = ["ca.key", "server.key", "agents/web-1.key", "issued", "lock"].map(|name| (name, 0o600));
    for (name, wanted) in wanted.into_iter().chain(private).chain([("agents/web-1.crt", 0o644)]) {
        assert_eq!(mode(&folder.path(name)), wanted, "{name}");
    }
    let entries = std::fs::read_dir(&folder.dir).unwrap().chain(std::fs::read_dir(folder.path("agents")).unwrap());
    assert!(entries.into_iter().all(|entry| !entry.unwrap().file_name().to_string_lossy().ends_with(".new")));
    let said = said.join("\n");
    for key in ["ca.key", "server.key", "agents/web-1.key"] {
        let text = folder.text(key);
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(!text.lines().any(|line| said.contains(line)), "{said}");
    }
    for setting in [format!("client_crl = {:?}", folder.path("ca.crl")), "key = \"/etc/clew/web-1.key\"".to_owned()] {
        assert!(said.lines().any(|line| line == setting), "{said}");
    }
}

#[test]
fn a_host_cannot_lead_out_of_the_folder() {
    let folder = Folder::new();
    for bad in ["../x", "/x", "x/y", ".x", "..", "10.0.0.5", "x --also-host ../y"] {
        assert!(folder.refused(&format!("agent {bad}")).contains("cannot stand in a certificate"), "{bad}");
    }
    let empty = PkiCommand::Agent { dir: folder.dir.clone(), host: String::new(), also_hosts: Vec::new(), days: 1 };
    assert!(run_at(&empty, NOW_S, &mut Vec::new(), &mut Vec::new()).is_err());
    assert!(folder.pki("agent -- -x").is_err());
    assert!(folder.issued().is_empty() && !folder.path("agents").exists());
    // Nor can the folder of the agents.
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), folder.path("agents")).unwrap();
    assert!(folder.refused("agent web-1").contains("symbolic link"));
    assert!(std::fs::read_dir(elsewhere.path()).unwrap().next().is_none() && folder.issued().is_empty());
}

#[test]
fn two_at_once_lose_nothing() {
    let folder = Folder::new();
    let hosts: Vec<String> = (0..8).map(|index| format!("web-{index}")).collect();
    std::thread::scope(|scope| {
        for host in &hosts {
            let folder = &folder;
            scope.spawn(move || folder.pki(&format!("agent {host}")).unwrap());
        }
    });
    let mut issued: Vec<String> = folder.issued().into_iter().map(|issued| issued.names[0].clone()).collect();
    issued.sort();
    assert_eq!(issued, hosts);
    assert!(hosts.iter().all(|host| folder.path(&format!("agents/{host}.crt")).is_file()));
}

#[test]
fn nothing_outlives_the_authority() {
    let folder = Folder::empty();
    folder.pki("init --days 10 --name Short").unwrap();
    let (_, said) = folder.pki("agent web-1").unwrap();
    assert!(said.contains("the authority ends before 397 days are over"), "{said}");
    let (_, said) = folder.pki("agent web-1 --days 10").unwrap();
    assert!(!said.contains("the authority ends"), "{said}");
    assert!(folder.issued().iter().all(|issued| issued.not_after_s == NOW_S + 10 * DAY_S));
    for line in ["agent web-1", "server clew", "revoke web-1"] {
        let said = folder.pki_at(line, NOW_S + 11 * DAY_S).unwrap_err().to_string();
        assert!(said.contains("ca.crt: it expired at") && said.contains("pki init"), "{said}");
        let said = folder.pki_at(line, NOW_S - 1_000).unwrap_err().to_string();
        assert!(said.contains("is the clock right?"), "{said}");
    }
    for days in [0, 36_501, u32::MAX] {
        let other = Folder::empty();
        for said in
            [folder.refused(&format!("agent web-1 --days {days}")), other.refused(&format!("init --days {days}"))]
        {
            assert_eq!(said, format!("--days: {days} is not between 1 and 36500"));
        }
        assert!(!other.dir.exists());
    }
    // The longest that there can be.
    let folder = Folder::empty();
    folder.pki("init --days 36500").unwrap();
    folder.pki("agent web-1 --days 36500").unwrap();
    assert!(folder.aggregator_believes(&folder.certificate("agents/web-1.crt"), true));
}

#[test]
fn a_folder_is_an_authority_once_and_only_with_what_belongs_together() {
    let (folder, other) = (Folder::new(), Folder::new());
    assert!(folder.refused("init").contains("holds a certificate authority already"));
    let nothing = Folder::empty();
    for line in ["agent web-1", "server clew", "revoke web-1", "list"] {
        assert!(nothing.refused(line).contains("holds no certificate authority; make one"), "{line}");
    }
    assert!(nothing.refused(&format!("init --name {}", "a".repeat(65))).starts_with("--name"));
    let own = folder.text("ca.key");
    std::fs::write(folder.path("ca.key"), other.text("ca.key")).unwrap();
    assert!(folder.refused("agent web-1").contains("ca.key beside it belongs to another certificate"));
    std::fs::write(folder.path("ca.key"), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
        .unwrap();
    let said = folder.refused("agent web-1");
    assert!(said.contains("ca.key: it holds no private key") && !said.contains("c2VjcmV0"), "{said}");
    std::fs::write(folder.path("ca.key"), own).unwrap();
    std::fs::set_permissions(folder.path("ca.key"), PermissionsExt::from_mode(0o644)).unwrap();
    assert!(folder.refused("agent web-1").contains("chmod 600"));
    std::fs::set_permissions(folder.path("ca.key"), PermissionsExt::from_mode(0o600)).unwrap();
    folder.pki("agent web-1").unwrap();
    // A certificate of an agent signs nothing.
    for extension in ["crt", "key"] {
        std::fs::copy(folder.path(&format!("agents/web-1.{extension}")), folder.path(&format!("ca.{extension}")))
            .unwrap();
    }
    assert!(folder.refused("agent web-2").contains("it is no certificate of an authority"));
    // The authority is gone but not what it issued: it is not written over.
    for name in ["ca.crt", "ca.key"] {
        std::fs::remove_file(folder.path(name)).unwrap();
    }
    assert!(folder.refused("init").contains("issued"));
}
