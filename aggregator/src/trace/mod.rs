//! One transaction from its records: order, summary, completeness. Pure code: no IO, no clock.
//!
//! | file | what it is |
//! | --- | --- |
//! | `bridge` | which other IDs it goes by, and their records |
//! | `order` | the records in order, and where that is not certain |
//! | `summary` | what they come to |
//! | `completeness` | whether that is all of it, and who is behind |
//! | `assemble` | all of that |

pub mod assemble;
pub mod bridge;
pub mod completeness;
pub mod order;
pub mod summary;
