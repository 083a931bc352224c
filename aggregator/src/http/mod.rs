//! The HTTP API.
//!
//! | file | what it is |
//! | --- | --- |
//! | `serve` | connections, until the end |
//! | `router` | the routes, as a table |
//! | `openapi` | `/openapi.json`: what they take and answer |
//! | `api` | what all handlers share |
//! | `guard` | who asks, and may they |
//! | `session` | `/api/v1/session`: a browser's login |
//! | `arguments` | a request's parameters, from query string or body |
//! | `parameters` | those that several routes have |
//! | `analysis` | histogram, facets, statistics, fields |
//! | `search` | `/api/v1/logs/search` |
//! | `context` | `/api/v1/logs/context` |
//! | `tail` | `/api/v1/logs/tail` |
//! | `services` | `/api/v1/services`, and who calls whom |
//! | `transaction` | `/api/v1/transactions/{id}`, and what lies below it |
//! | `transactions` | `/api/v1/transactions` |
//! | `status` | `/api/v1/status/*` |
//! | `deletions` | `/api/v1/admin/deletions` |
//! | `process` | `/livez`, `/readyz`, `/metrics` |
//! | `ui` | the web page: what is no route |
//! | `answer` | records and verdicts as JSON |
//! | `cursor` | where the next page begins |
//! | `problem` | errors as RFC 9457 problem details; status codes are chosen here alone |

pub mod analysis;
pub mod answer;
pub mod api;
pub mod arguments;
pub mod context;
pub mod cursor;
pub mod deletions;
pub mod guard;
pub mod openapi;
pub mod parameters;
pub mod problem;
pub mod process;
pub mod router;
pub mod search;
pub mod serve;
pub mod services;
pub mod session;
pub mod status;
pub mod tail;
pub mod transaction;
pub mod transactions;
pub mod ui;
