//! The web page, out of the binary. Its files lie under `/assets/{version}/`, and the version follows from all of them: a browser keeps
//! them for good, and asks for others after an upgrade. The document itself is asked for each time, and mostly answered with 304.
//!
//! Nothing on the page comes from elsewhere, and the policy has browsers see to that: log lines are hostile, and even one that got
//! through as markup could load and run nothing.

use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// What is put into the binary by `build.rs`.
mod files {
    use super::File;

    include!(concat!(env!("OUT_DIR"), "/page/files.rs"));
}

/// A file of the page.
pub struct File {
    name: &'static str,
    plain: &'static [u8],
    packed: &'static [u8],
}

/// Addresses of the page; behind `/t/` there is an ID.
const PAGES: [&str; 6] = ["/", "/search", "/transactions", "/services", "/agents", "/storage"];
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_FIRST: &str = "no-cache";

/// Answers what is no route: with the page where it has one.
pub async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    if method != Method::GET && method != Method::HEAD {
        return Problem::NoRoute.into_response();
    }
    if let Some(name) = path.strip_prefix("/assets/").and_then(|rest| rest.strip_prefix(files::VERSION)) {
        let file = files::FILES.iter().find(|file| name.strip_prefix('/') == Some(file.name));
        return file
            .map_or_else(|| Problem::NoRoute.into_response(), |file| answer(file, FOREVER, StatusCode::OK, &headers));
    }
    let document = files::FILES.iter().find(|file| file.name == "index.html").expect("the page has a document");
    if PAGES.contains(&path) || path.strip_prefix("/t/").is_some_and(|id| !id.is_empty()) {
        return answer(document, ASK_FIRST, StatusCode::OK, &headers);
    }
    // Somebody who follows a wrong link sees the page say so; a program gets a problem.
    let is_browser = headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
    if is_browser && !path.starts_with("/api/") && !path.starts_with("/assets/") {
        return answer(document, ASK_FIRST, StatusCode::NOT_FOUND, &headers);
    }
    Problem::NoRoute.into_response()
}

fn answer(file: &File, kept: &'static str, status: StatusCode, asked: &HeaderMap) -> Response {
    let tag = tag();
    let common: [(HeaderName, &str); 6] = [
        (header::CACHE_CONTROL, kept),
        (header::ETAG, &tag),
        (header::VARY, "accept-encoding"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ];
    let is_known = status == StatusCode::OK && holds(asked, &header::IF_NONE_MATCH, &tag);
    if is_known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = [(header::CONTENT_TYPE, content_type(file.name))];
    if holds(asked, &header::ACCEPT_ENCODING, "gzip") {
        (status, common, kind, [(header::CONTENT_ENCODING, "gzip")], file.packed).into_response()
    } else {
        (status, common, kind, file.plain).into_response()
    }
}

/// One for all files: each lies at an address of its own.
fn tag() -> String {
    format!("\"{}\"", files::VERSION)
}

/// Whether `text` is among the values of a header, which stand between commas; a weak tag is as good as a strong one here.
fn holds(headers: &HeaderMap, name: &HeaderName, text: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|value| {
        let (value, quality) = value.split_once(';').unwrap_or((value, ""));
        value.trim().trim_start_matches("W/") == text
            && !matches!(quality.trim(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000")
    })
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::http::HeaderValue;

    use super::*;

    async fn ask(path: &str, headers: &[(HeaderName, &str)]) -> Response {
        let headers =
            headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a value")));
        page(Method::GET, path.parse().expect("an address"), headers.collect()).await
    }

    async fn text(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), usize::MAX).await.expect("a body");
        String::from_utf8(bytes.to_vec()).expect("a text")
    }

    #[tokio::test]
    async fn everything_that_the_document_names_is_there() {
        let document = text(ask("/", &[]).await).await;
        let names: Vec<&str> = document.split('"').filter(|text| text.starts_with("/assets/")).collect();
        assert!(names.len() > 4, "{document}");
        for name in names {
            let response = ask(name, &[]).await;
            assert_eq!(response.status(), StatusCode::OK, "{name}");
            assert_eq!(response.headers()[header::CACHE_CONTROL], FOREVER, "{name}");
        }
    }

    #[tokio::test]
    async fn every_import_leads_to_a_file() {
        for file in files::FILES.iter().filter(|file| file.name.ends_with(".js") && !file.name.starts_with("vendor/")) {
            let text = std::str::from_utf8(file.plain).expect("a text");
            let folder = file.name.rsplit_once('/').map_or("", |(folder, _)| folder);
            for line in text.lines().filter(|line| line.starts_with("import ") || line.starts_with("} from ")) {
                let name = line.rsplit('"').nth(1).unwrap_or_else(|| panic!("{}: {line}", file.name));
                let path = match name.strip_prefix("../") {
                    Some(path) => path.to_owned(),
                    None if folder.is_empty() => name.trim_start_matches("./").to_owned(),
                    None => format!("{folder}/{}", name.trim_start_matches("./")),
                };
                assert!(files::FILES.iter().any(|file| file.name == path), "{} imports {name}", file.name);
            }
        }
    }

    #[tokio::test]
    async fn no_script_and_no_style_stands_in_the_document_and_nothing_comes_from_elsewhere() {
        let response = ask("/t/4bf92f3577b34da6a3ce929d0e0e4736", &[]).await;
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().expect("a text").to_owned();
        assert!(policy.starts_with("default-src 'self';") && !policy.contains("unsafe"), "{policy}");
        let document = text(response).await;
        assert!(!document.contains("<style") && !document.contains(" style="), "{document}");
        assert!(document.split("<script").skip(1).all(|script| script.contains("src=\"/assets/")), "{document}");
        assert!(
            !document.contains("http:") && !document.contains("https:") && !document.contains("\"//"),
            "{document}"
        );
    }

    #[tokio::test]
    async fn a_browser_that_has_it_is_told_so() {
        let first = ask("/search?q=x", &[]).await;
        assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
        let tag = first.headers()[header::ETAG].to_str().expect("a text").to_owned();
        for known in [tag.clone(), format!("\"other\", W/{tag}")] {
            let again = ask("/search?q=x", &[(header::IF_NONE_MATCH, &known)]).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
            assert!(text(again).await.is_empty());
        }
        assert_eq!(ask("/", &[(header::IF_NONE_MATCH, "\"other\"")]).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn it_is_compressed_for_who_can_read_that() {
        for (accepted, packed) in
            [("gzip, deflate, br", true), ("br;q=1.0, gzip;q=0.5", true), ("gzip;q=0", false), ("br", false)]
        {
            let response = ask("/", &[(header::ACCEPT_ENCODING, accepted)]).await;
            assert_eq!(response.headers().contains_key(header::CONTENT_ENCODING), packed, "{accepted}");
            assert_eq!(response.headers()[header::VARY], "accept-encoding");
        }
    }

    #[tokio::test]
    async fn what_is_no_page_is_a_problem_for_programs_and_said_to_people() {
        for path in ["/nowhere", "/api/v1/nowhere", "/t/", "/assets/0000000000000000/app.js", "/assets/../Cargo.toml"] {
            let response = ask(path, &[]).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json", "{path}");
        }
        let accept = [(header::ACCEPT, "text/html,application/xhtml+xml")];
        let response = ask("/nowhere", &accept).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        assert_eq!(ask("/api/v1/nowhere", &accept).await.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
