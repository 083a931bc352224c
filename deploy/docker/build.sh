#!/usr/bin/env bash
# The images clew-aggregator, clew-agent and clew, from the stripped binaries of `make packages`: tagged with the version and `latest`.
set -euo pipefail
cd "$(dirname "$0")/../.."
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
for crate in aggregator agent cli; do
  name=clew-$crate
  [ $crate = cli ] && name=clew
  context=target/images/$crate
  rm -rf "$context"
  mkdir -p "$context"
  cp "target/packages/bin/$name" deploy/docker/healthy "$context/"
  if [ -f "deploy/docker/$crate.toml" ]; then cp "deploy/docker/$crate.toml" "$context/"; fi
  docker build --quiet --tag "$name:$version" --tag "$name:latest" --file "deploy/docker/$crate.Dockerfile" "$context"
done
