#!/usr/bin/env bash
# Prints the rustc flags that give the wasm32-unknown-unknown target to the installed compiler:
# nothing where rustup has the target or can fetch it, else `--sysroot=…` of a standard library that
# is built here, once, from the source package of the same compiler version.
set -euo pipefail

target=wasm32-unknown-unknown
say() { echo "$@" >&2; }

real="$(rustc --print sysroot)"
if [ -d "$real/lib/rustlib/$target/lib" ]; then
    exit 0
fi
if command -v rustup >/dev/null && timeout 120 rustup target add "$target" >&2; then
    exit 0
fi

version="$(rustc -vV | sed -n 's/^release: //p')"
commit="$(rustc -vV | sed -n 's/^commit-hash: //p')"
host="$(rustc -vV | sed -n 's/^host: //p')"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/transduct/wasm-std-$version-${commit:0:9}"
mkdir -p "$cache"
# Two builds at a time would write the same files.
exec 9>"$cache/lock"
flock 9
if [ -e "$cache/done" ]; then
    echo "--sysroot=$cache/sysroot"
    exit 0
fi
say "rustup has no $target: building its standard library from the source of Rust $version"
for tool in curl xz dpkg-deb; do
    command -v "$tool" >/dev/null || {
        say "$tool is missing; install it, or the target by \`rustup target add $target\`"
        exit 1
    }
done

# The mirror that apt uses, else Debian's own.
mirror="$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m 1 -E '/debian/?$' || true)"
mirror="${mirror:-http://deb.debian.org/debian}"
mirror="${mirror%/}"
# `Filename SHA256` of the source package of this very version: another does not compile.
package() {
    curl -fsS --max-time 120 "$mirror/dists/$1/main/binary-amd64/Packages.xz" | xz -dc |
        awk -v RS= -v version="$version+" '
            /(^|\n)Package: rust-src\n/ && index($0, "\nVersion: " version) {
                match($0, /\nFilename: [^\n]*/); file = substr($0, RSTART + 11, RLENGTH - 11)
                match($0, /\nSHA256: [^\n]*/); hash = substr($0, RSTART + 9, RLENGTH - 9)
                print file, hash; exit
            }'
}
found=""
for suite in trixie-backports testing unstable; do
    found="$(package "$suite" || true)"
    [ -n "$found" ] && break
done
if [ -z "$found" ]; then
    say "no source package of Rust $version: install the target by \`rustup target add $target\`"
    exit 1
fi
read -r file hash <<<"$found"

work="$cache/work"
rm -rf "$work" "$cache/sysroot"
mkdir -p "$work"
curl -fsS --retry 3 --max-time 600 -o "$work/rust-src.deb" "$mirror/$file"
echo "$hash  $work/rust-src.deb" | sha256sum --check --quiet
dpkg-deb --fsys-tarfile "$work/rust-src.deb" |
    tar -x -C "$work" --wildcards --strip-components=4 './usr/src/*/library'

rustlib="$cache/sysroot/lib/rustlib"
mkdir -p "$rustlib/$target/lib"
# The linker lives among the host's files.
ln -s "$real/lib/rustlib/$host" "$rustlib/$host"
# RUSTFLAGS would override the target's own flags.
env -u RUSTFLAGS RUSTC_BOOTSTRAP=1 __CARGO_DEFAULT_LIB_METADATA=wasmstd CARGO_TARGET_DIR="$work/target" \
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="-Zforce-unstable-if-unmarked -Cembed-bitcode=yes" \
    cargo build --quiet --release --locked --manifest-path "$work/library/sysroot/Cargo.toml" \
    --target "$target" --no-default-features >&2
cp "$work/target/$target/release/deps/"*.rlib "$rustlib/$target/lib/"
rm -rf "$work"
touch "$cache/done"
echo "--sysroot=$cache/sysroot"
