#!/usr/bin/env bash
# Builds the page into dist/: a copy of www/ and the program, with WebAssembly's relaxed SIMD, with its
# SIMD, and without. Static files, to be served from any folder of any web server.
#
# Needs Rust; curl and dpkg only where rustup cannot give the wasm32-unknown-unknown target. Uses
# wasm-opt (binaryen) where it is on the PATH.
set -euo pipefail
cd "$(dirname "$0")"

target=wasm32-unknown-unknown
name=transduct_wasm_demo
say() { echo "$@" >&2; }

command -v cargo >/dev/null || { say "Rust is missing: install it with rustup, https://rustup.rs"; exit 1; }
[ -f www/index.html ] || { say "www/index.html is missing: the page itself"; exit 1; }
sysroot="$(./sysroot.sh)"

# The generator's version has to be that of the wasm-bindgen in the program.
locked() { grep -A 1 "^name = \"$1\"$" "$2" | sed -n 's/^version = "\(.*\)"$/\1/p'; }
program="$(locked wasm-bindgen ../Cargo.lock)"
generator="$(locked wasm-bindgen-cli-support bindgen/Cargo.lock)"
if [ "$program" != "$generator" ]; then
    say "the program has wasm-bindgen $program, bindgen/ has $generator: set both to one version"
    exit 1
fi
# Flags that are meant for another target would replace those set here.
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET
cargo build --quiet --release --locked --manifest-path bindgen/Cargo.toml --target-dir bindgen/target

metadata="$(cargo metadata --format-version 1 --no-deps --locked)"
workspace="$(sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p' <<<"$metadata")"
rm -rf dist.tmp
cp -R www dist.tmp
trap 'rm -rf dist.tmp' EXIT

# build NAME RUSTC-FLAGS WASM-OPT-FLAGS CARGO-ARGUMENTS...: Cargo keeps the work of each set of flags, and
# macros and build scripts, which are for this machine, serve all.
build() {
    local out="dist.tmp/pkg/$1"
    say "building $1"
    CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS="$sysroot $2" \
        cargo build --profile wasm --locked --package transduct-wasm-demo --lib --target "$target" "${@:4}"
    mkdir -p "$out"
    bindgen/target/release/transduct-bindgen "$workspace/$target/wasm/$name.wasm" "$out"
    optimise "$out/${name}_bg.wasm" "$3"
}

# 112 is the oldest that was tried and is right: 108 cannot read relaxed SIMD, and what it makes of the
# other builds does not start.
optimiser="$(command -v wasm-opt || true)"
if [ -z "$optimiser" ]; then
    say "wasm-opt (binaryen) is not on the PATH: the program stays a little larger than it could be"
elif version="$("$optimiser" --version | grep -oE '[0-9]+' | head -n 1)"; [ "${version:-0}" -lt 112 ]; then
    say "wasm-opt ${version:-?} is older than 112: the program stays a little larger than it could be"
    optimiser=""
fi

# optimise FILE FLAGS
optimise() {
    if [ -z "$optimiser" ]; then return; fi
    # More passes make the file smaller still, and what gzip makes of it larger. The features are those
    # that rustc writes for this target by default, named since older versions assume fewer.
    "$optimiser" -O1 $2 --enable-bulk-memory --enable-mutable-globals --enable-nontrapping-float-to-int \
        --enable-sign-ext --enable-reference-types --enable-multivalue "$1" -o "$1.small"
    mv "$1.small" "$1"
}

build relaxed "-C target-feature=+simd128,+relaxed-simd" "--enable-simd --enable-relaxed-simd"
build simd "-C target-feature=+simd128" --enable-simd
# Without vectors the kernels take more room, which is taken from the rest: the page keeps its limit.
build plain "" "" --config 'profile.wasm.package.transduct-wasm-demo.opt-level="s"'

rm -rf dist
mv dist.tmp dist
trap - EXIT
sizes() { find "$@" -type f | LC_ALL=C sort; }
# What a visitor fetches: one of the builds, and everything else.
others=0
declare -A builds
printf '%9s  %9s  %s\n' bytes gzipped file
while read -r file; do
    gzipped="$(gzip -9c "$file" | wc -c)"
    printf '%9d  %9d  %s\n' "$(wc -c <"$file")" "$gzipped" "${file#dist/}"
    folder="${file%/*}"
    case "$folder" in
    dist/pkg/*) builds[$folder]=$((${builds[$folder]:-0} + gzipped)) ;;
    *) others=$((others + gzipped)) ;;
    esac
done < <(sizes dist)
largest="$(printf '%d\n' "${builds[@]}" | sort -n | tail -n 1)"
echo "a browser fetches at most $((others + largest)) bytes gzipped"
