//! The wire contract between agent and aggregator: package `clew.v1` and its generated code, no logic.
//!
//! The contract itself, with the meaning of every field, is `proto/clew/v1/ingest.proto`.

/// Version 1 of the contract.
pub mod v1 {
    #![allow(clippy::all, clippy::pedantic)]
    tonic::include_proto!("clew.v1");
}
