//! Searches: which blocks, in which order, and what is made of the records in them that fulfil the query.
//!
//! A search goes through its blocks in slices. Between two slices it gives its turn away, looks at its deadline, and ends when nobody
//! waits for it any more. So many searches share the threads, and none holds up another for longer than a slice.
//!
//! | file | what it is |
//! | --- | --- |
//! | `candidates` | the blocks that the index leaves, and their times |
//! | `cache` | decoded blocks, within a budget of bytes |
//! | `pace` | how many blocks the next slice has |
//! | `scan` | goes through the candidates, slice by slice |
//! | `newest` | the newest or oldest records |
//! | `around` | what stands around one record in its file |
//! | `histogram` | how many, by time |
//! | `facets` | the values of fields |
//! | `statistics` | numbers, by groups |

pub mod around;
pub mod cache;
pub mod candidates;
pub mod facets;
pub mod histogram;
pub mod newest;
pub mod pace;
pub mod scan;
pub mod statistics;
