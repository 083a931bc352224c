#!/usr/bin/env bash
# The deb and the rpm of agent, aggregator and command line, from binaries that are built: target/packages/*.deb, *.rpm. The binaries are those
# of target/release, or of the folder that CLEW_BIN_DIR names.
# Needs dpkg-deb and dpkg-shlibdeps, and cargo-deb and cargo-generate-rpm, which it installs below target/tools if there are none.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=target/packages
built=${CLEW_BIN_DIR:-target/release}
PATH=$PWD/target/tools/bin:$PATH

tool() { # NAME VERSION
  # Hardly optimised: they are built sooner, and run but a few times.
  command -v "$1" >/dev/null ||
    CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --root target/tools "$1@$2"
}
tool cargo-deb 3.8.0
tool cargo-generate-rpm 0.21.1

rm -rf $out/manual $out/bin
mkdir -p $out/bin
for crate in agent aggregator cli; do
  name=clew-$crate
  [ $crate = cli ] && name=clew
  # Debugging symbols stay where it was built; what is shipped has none.
  strip --strip-all -o $out/bin/$name "$built/$name"
  "$built/$name" manual $out/manual/$crate
  gzip -9n $out/manual/$crate/man/*.1
  cargo deb --quiet -p $name --no-build --no-strip --compress-system --output $out/
  cargo generate-rpm -p $crate --payload-compress gzip --output $out/
done
ls -l $out/*.deb $out/*.rpm
