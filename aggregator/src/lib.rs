//! The aggregator: takes batches, makes them durable, indexes them, answers.

pub mod batch;
pub mod block;
pub mod id;
pub mod record;
pub mod source;
