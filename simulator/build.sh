#!/usr/bin/env bash
# Builds the software CUDA device, artifacts/simulator/libcudasim.so, where it is missing or older than its sources. Says in one line what
# it does or what is missing, and nothing when there is nothing to do. Exit code 3: this machine lacks what it takes.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
library=$root/artifacts/simulator/libcudasim.so
log=$root/artifacts/simulator.log
say() { printf 'weft: %s\n' "$*" >&2; }

fresh() { [[ -f $library && -z $(cd "$root" && find simulator CMakeLists.txt -newer "$library" -print -quit) ]]; }

fresh && exit 0
missing=()
for tool in cmake g++; do command -v "$tool" >/dev/null 2>&1 || missing+=("$tool"); done
if ((${#missing[@]} > 0)); then
    say "the software CUDA device cannot be built without ${missing[*]} (apt-get install ${missing[*]})"
    exit 3
fi

mkdir -p "$root/artifacts"
exec 9>"$root/artifacts/.simulator.lock"
if command -v flock >/dev/null 2>&1; then
    flock 9
    fresh && exit 0 # another process has built it meanwhile
fi
say 'building the software CUDA device …'
if ! { cmake -S "$root" -B "$root/artifacts/cmake" -DCMAKE_BUILD_TYPE=Release && cmake --build "$root/artifacts/cmake" --target cudasim -j "$(nproc)"; } >"$log" 2>&1; then
    grep -E 'error|Error' "$log" >&2 || cat "$log" >&2
    say 'the software CUDA device does not build'
    exit 1
fi
# A source that changes nothing in the library must not make it look old for ever.
touch "$library"
