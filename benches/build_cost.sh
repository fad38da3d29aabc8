#!/usr/bin/env bash
# What a program pays for its runtime before it runs: crates to trust, and the time of a clean build.
#
#     benches/build_cost.sh [FOLDER]
#
# For homing with and without its features, and for what others take instead, an empty program is built, in release mode,
# with nothing there but the downloaded sources. "cpu" is the processor time of all compilers together, which other programs
# on the machine change little; "wall" is what one waits for on this machine.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$here/target/build-cost}
export CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
# Nothing of the caller's: flags and profiles would be measured, too.
unset RUSTFLAGS CARGO_TARGET_DIR CARGO_BUILD_TARGET CARGO_PROFILE_RELEASE_DEBUG

# Every feature that the facade has.
features=$(sed -n '/^\[features\]/,/^\[/s/^\([a-z][a-z0-9_-]*\) *=.*/"\1"/p' "$here/Cargo.toml" | paste -sd,)

measure() { # NAME DEPENDENCY
    local name=$1 dependency=$2 project=$folder/${1//[^a-z0-9]/-}
    rm -rf "$project"
    mkdir -p "$project/src"
    printf '[package]\nname = "empty"\nedition = "2024"\n\n[dependencies]\n%s\n\n[workspace]\n' "$dependency" >"$project/Cargo.toml"
    echo 'fn main() {}' >"$project/src/main.rs"
    (
        cd "$project"
        cargo fetch --quiet
        crates=$(($(cargo tree --edges normal,build --prefix none --no-dedupe | sed 's/ (.*//' | sort -u | wc -l) - 1))
        TIMEFORMAT='%R %U %S'
        times=$({ time cargo build --release --quiet >&2; } 2>&1)
        read -r wall user system <<<"$times"
        printf '| %-38s | %6d | %7.1f | %8.1f |\n' "$name" "$crates" "$(echo "$user + $system" | bc)" "$wall"
    )
}

printf '%s, %s cores\n\n' "$(rustc --version)" "$(nproc)"
printf '| %-38s | crates | cpu (s) | wall (s) |\n|%s|-------:|--------:|---------:|\n' "" "----------------------------------------"
measure "homing" "homing = { path = \"$here\" }"
measure "homing, all features" "homing = { path = \"$here\", features = [$features] }"
measure "tokio, rt + time + net" 'tokio = { version = "1", features = ["rt", "time", "net"] }'
measure "tokio, full" 'tokio = { version = "1", features = ["full"] }'
measure "smol" 'smol = "2"'
