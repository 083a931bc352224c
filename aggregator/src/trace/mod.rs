//! One transaction from its records: order, summary, completeness. Pure code: no IO, no clock.
//!
//! | file | what it is |
//! | --- | --- |
//! | `bridge` | which other IDs it goes by, and their records |
//! | `order` | the records in order, and where that is not certain |
//! | `summary` | what they come to |
//! | `completeness` | whether that is all of it, and who is behind |
//! | `message` | what a line says, without what every line of its file begins with |
//! | `mask` | that with its variables masked |
//! | `template` | which of many lines one statement wrote |
//! | `span` | span and parent span of a line |
//! | `lanes` | who wrote what, and who called whom |
//! | `silence` | where nothing was written for long |
//! | `fold` | runs of lines that say the same |
//! | `assemble` | all of that for one transaction |
//! | `compare` | one transaction against others: what is missing, new, slow, or more |
//! | `graph` | which service calls which, by the evidence of many transactions |

pub mod assemble;
pub mod bridge;
pub mod compare;
pub mod completeness;
pub mod fold;
pub mod graph;
pub mod lanes;
pub mod mask;
pub mod message;
pub mod order;
pub mod silence;
pub mod span;
pub mod summary;
pub mod template;
