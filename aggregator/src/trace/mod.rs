//! One transaction from its records: order, summary, completeness. Pure code: no IO, no clock.
//!
//! | file | what it is |
//! | --- | --- |
//! | `order` | the records in order |
//! | `summary` | what they come to |
//! | `completeness` | whether that is all of it, and who is behind |

pub mod completeness;
pub mod order;
pub mod summary;
