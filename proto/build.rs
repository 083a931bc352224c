//! Compiles the contract with protox, so that nobody needs protoc.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=clew/v1/ingest.proto");
    let descriptors = protox::compile(["clew/v1/ingest.proto"], ["."])?;
    tonic_prost_build::configure()
        .bytes(".clew.v1")
        .codec_path("crate::codec::Codec")
        .build_transport(true)
        .compile_fds(descriptors)?;
    Ok(())
}
