//! The wire contract between agent and aggregator: package `clew.v1`, its generated code, and what is looked at before it decodes.
//!
//! The contract itself, with the meaning of every field, is `proto/clew/v1/ingest.proto`.

pub mod codec;

/// Version 1 of the contract.
pub mod v1 {
    #![allow(clippy::all, clippy::pedantic)]
    tonic::include_proto!("clew.v1");
}
