//! Certificates as those who have to believe them see them: rustls, and openssl where it is installed.

use std::process::Command;

use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;

use super::{DAY_S, Folder, NOW_S, states};

#[test]
fn each_side_believes_the_other_and_nobody_else() {
    let (folder, other) = (Folder::new(), Folder::new());
    for folder in [&folder, &other] {
        folder.pki("server clew.example.com 10.0.0.5 2001:db8::1").unwrap();
        folder.pki("agent web_1 --also-host web-2.example.com").unwrap();
    }
    let (server, agent) = (folder.certificate("server.crt"), folder.certificate("agents/web_1.crt"));
    for name in ["clew.example.com", "10.0.0.5", "2001:db8::1"] {
        assert!(folder.agent_believes(&server, name), "{name}");
        assert!(!other.agent_believes(&server, name), "{name}");
    }
    assert!(!folder.agent_believes(&server, "other.example.com") && !folder.agent_believes(&server, "10.0.0.6"));
    assert!(folder.aggregator_believes(&agent, true) && !other.aggregator_believes(&agent, true));
    // Neither can pose as the other.
    assert!(!folder.agent_believes(&agent, "web_1") && !folder.aggregator_believes(&server, true));
    // And an authority is neither.
    assert!(!folder.aggregator_believes(&folder.certificate("ca.crt"), false));
}

#[test]
fn a_certificate_says_what_was_asked_for() {
    let folder = Folder::new();
    folder.pki("agent web_1 --also-host web-2.example.com --also-host web_1 --days 30").unwrap();
    let der = folder.certificate("agents/web_1.crt");
    let (_, certificate) = x509_parser::parse_x509_certificate(&der).unwrap();
    assert_eq!(certificate.subject().to_string(), "CN=web_1");
    let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["DNSName(web_1)", "DNSName(web-2.example.com)"]);
    let validity = certificate.validity();
    assert_eq!([validity.not_before.timestamp(), validity.not_after.timestamp()], [NOW_S - 300, NOW_S + 30 * DAY_S]);
    let issued = &folder.issued()[0];
    assert_eq!(certificate.raw_serial_as_string().replace(':', ""), issued.serial.to_string());
    assert!(!certificate.is_ca() && certificate.key_usage().unwrap().unwrap().value.digital_signature());
    let der = folder.certificate("ca.crt");
    let (_, ca) = x509_parser::parse_x509_certificate(&der).unwrap();
    assert!(ca.subject().to_string().starts_with("CN=Clew "), "{}", ca.subject());
    let constraints = ca.basic_constraints().unwrap().unwrap().value;
    assert_eq!((constraints.ca, constraints.path_len_constraint), (true, Some(0)));
    let usage = ca.key_usage().unwrap().unwrap().value;
    assert!(usage.key_cert_sign() && usage.crl_sign() && !usage.digital_signature());
    // A name that is too long for people is an alternative name all the same.
    let long = ["a".repeat(50).as_str(); 3].join(".");
    folder.pki(&format!("agent {long}")).unwrap();
    assert!(folder.aggregator_believes(&folder.certificate(&format!("agents/{long}.crt")), true));
    folder.pki(&format!("server {long}")).unwrap();
    assert!(folder.agent_believes(&folder.certificate("server.crt"), &long));
}

#[test]
fn revoked_by_host_or_by_serial_is_refused_with_the_list() {
    let folder = Folder::new();
    for host in ["web-1", "web-1", "web-2", "web-3"] {
        folder.pki(&format!("agent {host}")).unwrap();
    }
    let [one, two, three] = ["web-1", "web-2", "web-3"].map(|host| folder.certificate(&format!("agents/{host}.crt")));
    let (_, said) = folder.pki("revoke web-1").unwrap();
    assert_eq!(said.matches("agent certificate for web-1 is revoked").count(), 2, "{said}");
    let serial = folder.issued()[2].serial.to_string().to_uppercase();
    folder.pki(&format!("revoke {serial}")).unwrap();
    for (certificate, good) in [(&one, false), (&two, false), (&three, true)] {
        assert_eq!(folder.aggregator_believes(certificate, true), good);
        assert!(folder.aggregator_believes(certificate, false));
    }
    let wanted = states(&[("web-1", "revoked"), ("web-1", "revoked"), ("web-2", "revoked"), ("web-3", "good")]);
    assert_eq!(folder.states(NOW_S), wanted);
    for nothing in ["web-1", "web-9", &serial, &"0".repeat(32)] {
        assert!(folder.refused(&format!("revoke {nothing}")).contains("no certificate that is good"), "{nothing}");
    }
    // A crash between `issued` and the list: once more mends it.
    std::fs::remove_file(folder.path("ca.crl")).unwrap();
    folder.refused("revoke web-1");
    assert!(!folder.aggregator_believes(&one, true) && !folder.aggregator_believes(&two, true));
    // What has expired needs no place in the list, and cannot be revoked.
    folder.pki("agent web-4 --days 800").unwrap();
    let later_s = NOW_S + 398 * DAY_S;
    assert!(folder.pki_at("revoke web-3", later_s).is_err());
    folder.pki_at("revoke web-4", later_s).unwrap();
    let der = CertificateRevocationListDer::from_pem_file(folder.path("ca.crl")).unwrap();
    let (_, list) = x509_parser::parse_x509_crl(&der).unwrap();
    assert_eq!(list.iter_revoked_certificates().count(), 1);
}

#[test]
fn openssl_agrees() {
    let openssl = |folder: &Folder, line: &str| {
        let done = Command::new("openssl").args(line.split(' ')).current_dir(&folder.dir).output()?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
        Ok::<_, std::io::Error>((done.status.success(), said))
    };
    let folder = Folder::empty();
    let now_s = jiff::Timestamp::now().as_second();
    for line in ["init", "server clew 10.0.0.5", "agent web_1", "agent web-2", "revoke web-2"] {
        folder.pki_at(line, now_s).unwrap();
    }
    if openssl(&folder, "version").is_err() {
        return;
    }
    let verify = "verify -x509_strict -CAfile ca.crt -crl_check -CRLfile ca.crl";
    for (rest, good) in [
        ("-purpose sslserver server.crt", true),
        ("-purpose sslserver -verify_hostname clew server.crt", true),
        ("-purpose sslserver -verify_ip 10.0.0.5 server.crt", true),
        ("-purpose sslclient agents/web_1.crt", true),
        ("-purpose sslclient server.crt", false),
        ("-purpose sslserver agents/web_1.crt", false),
        ("-purpose sslclient agents/web-2.crt", false),
    ] {
        let (verified, said) = openssl(&folder, &format!("{verify} {rest}")).unwrap();
        assert_eq!(verified, good, "{rest}: {said}");
    }
    let (_, said) = openssl(&folder, "crl -in ca.crl -noout -text -CAfile ca.crt").unwrap();
    let serial = folder.issued()[2].serial.to_string().to_uppercase();
    assert!(said.contains("verify OK") && said.contains(&serial), "{said}");
}
