//! `/api/v1/transactions/{id}` and what lies below it: one transaction, in the forms in which it is asked for.
//!
//! | file | what it is |
//! | --- | --- |
//! | `asked` | the ID and the parameters, and the transaction that they name |
//! | `shown` | a transaction as JSON, and each of its records |
//! | `reasons` | why it is complete or not, in sentences |
//! | `page` | `/api/v1/transactions/{id}`: a page of it, or all of it as NDJSON |
//! | `stream` | `/api/v1/transactions/{id}/stream`: as it grows, until it is settled |
//! | `export` | `/api/v1/transactions/{id}/export`: as a file to keep or to send |
//! | `html` | that file as a page of its own |
//! | `others` | recent transactions, put together to be compared or counted |
//! | `compare` | `/api/v1/transactions/{id}/compare`: what it has that others have not |

pub mod asked;
pub mod compare;
pub mod export;
pub mod html;
pub mod others;
pub mod page;
pub mod reasons;
pub mod shown;
pub mod stream;
