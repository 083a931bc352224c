//! What a source's configuration does to its records: leaves them out, redacts them, gives them an ID. Pure: no file, no clock.
//!
//! Invariant: every decision follows from the records and their positions alone, so reading a file again decides the same.
//!
//! | file | what it is |
//! | --- | --- |
//! | `pattern` | regular expressions, severities and kinds as a configuration writes them |
//! | `keep` | `[[source.drop]]` and `[[source.sample]]`: which records are shipped |
//! | `redact` | `[[source.redact]]`: secrets are replaced; what cannot be redacted in time is withheld |
//! | `seam` | what may be half a secret, where a long line was cut, is withheld |
//! | `builtin` | the secrets that are known by name |
//! | `number` | cards and IBANs: digits that prove themselves by a checksum |
//! | `attach` | `[source.attach]`: records between a begin and an end get one ID |
//! | `window` | the windows that are open, and the IDs that they give |
//! | `join` | `[source.join]`: one host's error log takes the IDs of its access log |

pub mod attach;
mod builtin;
pub mod join;
pub mod keep;
mod number;
mod pattern;
pub mod redact;
pub mod seam;
pub mod window;
