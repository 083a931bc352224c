//! Which pod or container a file belongs to: from its path, and from what Docker keeps beside it. Pure.

use serde::Deserialize;

/// Names and values, as the source is labelled with them.
pub type Labels = Vec<(String, String)>;

/// The labels that a service may be named after although no include captures them.
pub const NAMES: [&str; 6] = ["namespace", "pod", "pod_uid", "container", "container_id", "container_name"];

/// `/var/log/pods/<namespace>_<pod>_<uid>/<container>/<restart>.log`,
/// `/var/log/containers/<pod>_<namespace>_<container>-<id>.log`, `/var/lib/docker/containers/<id>/<id>-json.log`.
/// Empty for any other path. Rotated files are recognised too.
pub fn labels(path: &str) -> Labels {
    let parts: Vec<&str> = path.rsplit('/').collect();
    match parts.as_slice() {
        [file, container, pod, "pods", ..] => of_pod(file, container, pod),
        [file, "containers", ..] => of_container(file),
        [file, id, "containers", ..] if is_id(id) && file.starts_with(&format!("{id}-json.log")) => {
            vec![label("container_id", id)]
        }
        _ => Labels::new(),
    }
}

fn of_pod(file: &str, container: &str, pod: &str) -> Labels {
    let words: Vec<&str> = pod.split('_').collect();
    let (&[namespace, pod, uid], Some((restart, _))) = (words.as_slice(), file.split_once(".log")) else {
        return Labels::new();
    };
    let mut labels =
        vec![label("namespace", namespace), label("pod", pod), label("pod_uid", uid), label("container", container)];
    if !restart.is_empty() && restart.bytes().all(|byte| byte.is_ascii_digit()) {
        labels.push(label("restart", restart));
    }
    labels
}

fn of_container(file: &str) -> Labels {
    let words: Vec<&str> = file.split('_').collect();
    let &[pod, namespace, last] = words.as_slice() else { return Labels::new() };
    let Some((container, id)) = last.split_once(".log").and_then(|(name, _)| name.rsplit_once('-')) else {
        return Labels::new();
    };
    vec![label("namespace", namespace), label("pod", pod), label("container", container), label("container_id", id)]
}

fn is_id(text: &str) -> bool {
    text.len() >= 12 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn label(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A container's name and labels out of its `config.v2.json`, which Docker keeps beside its log.
pub fn docker_labels(config_v2_json: &[u8]) -> Result<(String, Labels), String> {
    let container: Container =
        serde_json::from_slice(config_v2_json).map_err(|error| format!("read config.v2.json: {error}"))?;
    let name = container.name.trim_start_matches('/').to_owned();
    Ok((name, container.config.labels.unwrap_or_default().into_iter().collect()))
}

#[derive(Deserialize)]
struct Container {
    #[serde(rename = "Name", default)]
    name: String,
    #[serde(rename = "Config", default)]
    config: Config,
}

#[derive(Default, Deserialize)]
struct Config {
    /// Sorted, so that the same file always says the same.
    #[serde(rename = "Labels", default)]
    labels: Option<std::collections::BTreeMap<String, String>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str) -> String {
        labels(path).iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn paths() {
        assert_eq!(
            found("/var/log/pods/shop_api-7d9_0f1e/web/3.log.20261123-120000"),
            "namespace=shop pod=api-7d9 pod_uid=0f1e container=web restart=3"
        );
        assert_eq!(
            found("/var/log/containers/api-7d9_shop_web-app-0123abc.log"),
            "namespace=shop pod=api-7d9 container=web-app container_id=0123abc"
        );
        let id = "0123456789abcdef";
        assert_eq!(found(&format!("/var/lib/docker/containers/{id}/{id}-json.log.1")), format!("container_id={id}"));
        for other in ["", "/var/log/syslog", "/var/log/pods/x/web/0.log", "/var/log/containers/x.log"] {
            assert_eq!(found(other), "", "{other}");
        }
    }

    #[test]
    fn docker_says_name_and_labels() {
        let json = br#"{"ID":"x","Name":"/web","Config":{"Labels":{"b":"2","a":"1"}}}"#;
        assert_eq!(docker_labels(json).unwrap(), ("web".into(), vec![label("a", "1"), label("b", "2")]));
        assert!(docker_labels(br#"{"Name":"/web","Config":{"Labels":null}}"#).unwrap().1.is_empty());
        assert!(docker_labels(b"{").is_err());
    }
}
