//! The names of certificates: what those who verify them accept, and nothing that leads out of a folder.

use std::net::IpAddr;

use clew_service::exit::ConfigError;
use rustls::pki_types::DnsName;

/// `agents/HOST.crt.new` is the name of a file, which may have 255.
const HOST_CHARACTERS_MAX: usize = 240;
/// X.520, ub-common-name.
pub const COMMON_NAME_CHARACTERS_MAX: usize = 64;

/// Hosts of agents: DNS names, as they are written in the agent's `host`.
pub fn hosts<'a>(hosts: impl IntoIterator<Item = &'a String>) -> Result<Vec<String>, ConfigError> {
    let mut checked = Vec::new();
    for host in hosts {
        if !is_dns_name(host) || host.len() > HOST_CHARACTERS_MAX {
            return Err(ConfigError::new(format!(
                "HOST: {host:?} cannot stand in a certificate: it takes a DNS name, up to {HOST_CHARACTERS_MAX} \
                 characters, labels of letters, digits, \"-\" and \"_\" with dots between them, the last not a number; \
                 give the agent such a name as its `host`"
            )));
        }
        add(&mut checked, host.clone());
    }
    Ok(checked)
}

/// Names that agents know the aggregator by: DNS names and addresses.
pub fn servers(names: &[String]) -> Result<Vec<String>, ConfigError> {
    let mut checked = Vec::new();
    for name in names {
        match name.parse::<IpAddr>() {
            Ok(address) => add(&mut checked, address.to_string()),
            Err(_) if is_dns_name(name) => add(&mut checked, name.clone()),
            Err(_) => {
                let why =
                    "is neither a DNS name nor an IP address; give what agents connect to, without scheme and port";
                return Err(ConfigError::new(format!("NAME: {name:?} {why}")));
            }
        }
    }
    if checked.is_empty() {
        return Err(ConfigError::new("NAME: give at least one, what agents connect to"));
    }
    Ok(checked)
}

/// The name of an authority, for people.
pub fn authority(name: &str) -> Result<(), ConfigError> {
    let length = name.chars().count();
    if name.trim().is_empty() || length > COMMON_NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
        let why = format!("--name: up to {COMMON_NAME_CHARACTERS_MAX} characters, none of them a control character");
        return Err(ConfigError::new(why));
    }
    Ok(())
}

/// What rustls takes for one. A certificate has no dot at the end.
fn is_dns_name(name: &str) -> bool {
    !name.ends_with('.') && DnsName::try_from(name).is_ok()
}

fn add(names: &mut Vec<String>, name: String) {
    if !names.contains(&name) {
        names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_dns_name_and_never_leads_out_of_its_folder() {
        for good in ["web-1", "web_1", "Web-1.example.com", "3com", "a", "xn--bcher-kva"] {
            assert_eq!(hosts(&[good.to_owned()]).unwrap(), [good]);
        }
        let long = ["a".repeat(60).as_str(); 4].join(".");
        let bad = [
            "", ".", "..", "../x", "a/b", "/a", ".a", "-a", "a-", "a.", "a..b", "10.0.0.5", "::1", "bücher", "*.a.com",
            "a b", "a\0",
        ];
        for bad in bad.into_iter().chain([long.as_str()]) {
            let said = hosts(&[bad.to_owned()]).expect_err(bad).to_string();
            assert!(said.starts_with(&format!("HOST: {bad:?} cannot stand in a certificate")), "{said}");
        }
    }

    #[test]
    fn a_server_has_names_and_addresses_each_once() {
        let given = ["clew.example.com", "10.0.0.5", "2001:DB8:0::1", "10.0.0.5"].map(str::to_owned);
        assert_eq!(servers(&given).unwrap(), ["clew.example.com", "10.0.0.5", "2001:db8::1"]);
        for bad in ["https://clew", "clew:4317", "[::1]", "10.0.0", ""] {
            assert!(servers(&[bad.to_owned()]).is_err(), "{bad}");
        }
        assert!(servers(&[]).is_err());
    }
}
