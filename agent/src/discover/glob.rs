//! Patterns for paths: `*`, `?`, `[a-z]`, `{a,b}`, `**` for any directories, and `{name}` for a part of one that is captured.
//!
//! A pattern is cut at its slashes, so that a walk goes only where it can match. Names are bytes, never assumed to be UTF-8.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};

/// An `include`.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    segments: Vec<Segment>,
    root: PathBuf,
    root_segments: usize,
}

/// What matches one name of a path.
#[derive(Clone, Debug)]
pub enum Segment {
    Literal(OsString),
    Wild(GlobMatcher),
    Capturing(Vec<Piece>),
    /// `**`: any number of directories.
    AnyDirectories,
}

/// Of a segment with captures.
#[derive(Clone, Debug)]
pub enum Piece {
    Literal(Vec<u8>),
    One,
    Many,
    Capture(String),
}

/// What was captured: name and value.
pub type Captures = Vec<(String, String)>;

impl Pattern {
    /// Compiles `text`; what is wrong with it is told in one line.
    pub fn new(text: &str) -> Result<Self, String> {
        let absolute = std::path::absolute(text).map_err(|error| format!("include {text:?}: {error}"))?;
        let absolute = absolute.to_str().ok_or_else(|| format!("include {text:?} is not UTF-8"))?;
        let segments = absolute
            .split('/')
            .filter(|segment| !segment.is_empty())
            .map(Segment::new)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| format!("include {text:?}: {error}"))?;
        match segments.last() {
            None | Some(Segment::AnyDirectories) => {
                Err(format!("include {text:?} names no files; end it with a file name or *"))
            }
            Some(_) => {
                let directories = &segments[..segments.len() - 1];
                let literals = directories.iter().map_while(|segment| match segment {
                    Segment::Literal(name) => Some(name),
                    _ => None,
                });
                let root_segments = literals.clone().count();
                let root = Path::new("/").join(literals.collect::<PathBuf>());
                Ok(Self { text: text.to_owned(), segments, root, root_segments })
            }
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The directories before the first wildcard: what the operator named, and so trusts.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// For each name of a path below the root; never empty.
    pub fn segments(&self) -> &[Segment] {
        &self.segments[self.root_segments..]
    }

    /// Whether it names `path`.
    pub fn matches(&self, path: &Path) -> bool {
        let mut names: Vec<&[u8]> = self.root.as_os_str().as_bytes().split(|byte| *byte == b'/').collect();
        names.retain(|name| !name.is_empty());
        let path: Vec<&[u8]> =
            path.as_os_str().as_bytes().split(|byte| *byte == b'/').filter(|name| !name.is_empty()).collect();
        path.strip_prefix(&names[..]).is_some_and(|rest| matches_all(self.segments(), rest))
    }

    /// The names that it captures.
    pub fn captures(&self) -> impl Iterator<Item = &str> {
        self.segments
            .iter()
            .flat_map(|segment| match segment {
                Segment::Capturing(pieces) => pieces.as_slice(),
                _ => &[],
            })
            .filter_map(|piece| match piece {
                Piece::Capture(name) => Some(name.as_str()),
                _ => None,
            })
    }
}

impl Segment {
    fn new(text: &str) -> Result<Self, String> {
        if text == "**" {
            return Ok(Self::AnyDirectories);
        }
        if text.matches('{').count() != text.matches('}').count() {
            return Err("a { without its } between two slashes; write two patterns instead".into());
        }
        if has_capture(text) {
            return pieces(text).map(Self::Capturing);
        }
        if !text.contains(['*', '?', '[', '{', '\\']) {
            return Ok(Self::Literal(text.into()));
        }
        let glob = GlobBuilder::new(text).literal_separator(true).build().map_err(|error| error.kind().to_string())?;
        Ok(Self::Wild(glob.compile_matcher()))
    }

    /// Whether `name` matches; what it captures is added to `captures`.
    pub fn matches(&self, name: &[u8], captures: &mut Captures) -> bool {
        match self {
            Self::Literal(literal) => literal.as_bytes() == name,
            Self::Wild(glob) => glob.is_match(OsStr::from_bytes(name)),
            Self::Capturing(pieces) => capture(pieces, name, captures),
            Self::AnyDirectories => true,
        }
    }
}

fn matches_all(segments: &[Segment], names: &[&[u8]]) -> bool {
    match (segments.split_first(), names.split_first()) {
        (None, None) => true,
        (Some((Segment::AnyDirectories, rest)), _) => {
            matches_all(rest, names) || (!names.is_empty() && matches_all(segments, &names[1..]))
        }
        (Some((segment, rest)), Some((name, names))) => {
            segment.matches(name, &mut Captures::new()) && matches_all(rest, names)
        }
        _ => false,
    }
}

/// `{name}`; `{a,b}` is an alternative.
fn has_capture(text: &str) -> bool {
    placeholders(text).any(|inside| !inside.contains(','))
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match first {
            '*' => pieces.push(Piece::Many),
            '?' => pieces.push(Piece::One),
            '{' => {
                let (name, _) = rest[1..].split_once('}').ok_or("a { without its }")?;
                if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
                    return Err(format!("{{{name}}} is no name of a capture; use letters, digits and _"));
                }
                pieces.push(Piece::Capture(name.to_owned()));
                rest = &rest[name.len() + 2..];
                continue;
            }
            '[' | '\\' => return Err(format!("{first} cannot stand beside a capture in {text:?}")),
            _ => match pieces.last_mut() {
                Some(Piece::Literal(literal)) => literal.extend_from_slice(first.encode_utf8(&mut [0; 4]).as_bytes()),
                _ => pieces.push(Piece::Literal(first.to_string().into_bytes())),
            },
        }
        rest = &rest[first.len_utf8()..];
    }
    Ok(pieces)
}

/// Matches with the shortest capture that works; a capture is never empty.
fn capture(pieces: &[Piece], name: &[u8], captures: &mut Captures) -> bool {
    let Some((piece, rest)) = pieces.split_first() else { return name.is_empty() };
    match piece {
        Piece::Literal(literal) => name.strip_prefix(&literal[..]).is_some_and(|name| capture(rest, name, captures)),
        Piece::One => name.split_first().is_some_and(|(_, name)| capture(rest, name, captures)),
        Piece::Many => (0..=name.len()).any(|length| capture(rest, &name[length..], captures)),
        Piece::Capture(key) => (1..=name.len()).any(|length| {
            // Nothing is allocated for a name that does not match.
            let before = captures.len();
            let matches = capture(rest, &name[length..], captures);
            if matches {
                captures.insert(before, (key.clone(), String::from_utf8_lossy(&name[..length]).into_owned()));
            }
            matches
        }),
    }
}

/// A service template with its captures filled in.
pub fn fill(template: &str, captures: &Captures) -> String {
    captures.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

/// The `exclude`s of a source.
#[derive(Clone, Debug)]
pub struct Exclude {
    set: GlobSet,
    texts: Vec<String>,
}

impl Exclude {
    /// Compiles them.
    pub fn new(texts: &[String]) -> Result<Self, String> {
        let mut set = GlobSetBuilder::new();
        for text in texts {
            let glob = GlobBuilder::new(text)
                .literal_separator(true)
                .build()
                .map_err(|error| format!("exclude {text:?}: {}", error.kind()))?;
            set.add(glob);
        }
        let set = set.build().map_err(|error| format!("exclude: {error}"))?;
        Ok(Self { set, texts: texts.to_vec() })
    }

    /// The first one that names `path`, as it was written.
    pub fn which(&self, path: &Path) -> Option<&str> {
        self.set.matches(path).first().map(|place| self.texts[*place].as_str())
    }
}

/// The names in braces of a service template.
pub fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template.split('{').skip(1).filter_map(|part| part.split_once('}').map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(segment: &str, name: &str) -> Option<Captures> {
        let mut captures = Captures::new();
        Segment::new(segment).unwrap().matches(name.as_bytes(), &mut captures).then_some(captures)
    }

    #[test]
    fn segments() {
        assert_eq!(captured("*.log", "a.log"), Some(vec![]));
        assert_eq!(captured("{a,b}.log", "b.log"), Some(vec![]));
        assert_eq!(captured("{name}.log", "web.log"), Some(vec![("name".into(), "web".into())]));
        assert_eq!(captured("{name}-{env}.*", "web-1-prod.log").unwrap()[1], ("env".into(), "1-prod".into()));
        assert_eq!(captured("{name}.log", ".log"), None);
        assert_eq!(captured("{name}.log", "a.txt"), None);
        assert!(Segment::new("*.log").unwrap().matches(b"\xff.log", &mut vec![]));
    }

    #[test]
    fn roots() {
        for (text, root, segments) in [
            ("/var/log/app/*.log", "/var/log/app", 1),
            ("/var/log/app.log", "/var/log", 1),
            ("/srv/{name}/log/*.log", "/srv", 3),
            ("/srv/**/log/*.log", "/srv", 3),
            ("/*", "/", 1),
        ] {
            let pattern = Pattern::new(text).unwrap();
            assert_eq!((pattern.root(), pattern.segments().len()), (Path::new(root), segments), "{text}");
        }
    }

    #[test]
    fn whole_paths() {
        for (pattern, path, matches) in [
            ("/a/*.log", "/a/x.log", true),
            ("/a/*.log", "/a/b/x.log", false),
            ("/a/**/x.log", "/a/x.log", true),
            ("/a/**/x.log", "/a/b/c/x.log", true),
            ("/a/{name}/x.log", "/a/b/x.log", true),
            ("/a/x.log", "/a/x.log", true),
            ("/a/x.log", "/b/x.log", false),
        ] {
            assert_eq!(Pattern::new(pattern).unwrap().matches(Path::new(path)), matches, "{pattern} {path}");
        }
    }

    #[test]
    fn bad_patterns() {
        for text in ["/a/[", "/a/{b", "/a/{b/c}", "/a/**", "/", "/a/{n}[x]", "/a/{b c}"] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
        assert!(Exclude::new(&["/a/[".into()]).is_err());
    }

    #[test]
    fn services() {
        assert_eq!(fill("{a}-{b}", &vec![("a".into(), "x".into()), ("b".into(), "y".into())]), "x-y");
    }
}
