//! Reading files that grow. [`file::LogFile`] is the open file; who reads how much when is the pipeline's business.

pub mod file;
