#!/usr/bin/env bash
# What `weft test` runs: builds the solution and the software CUDA device, runs every test project and the device's own tests, shows failures, and
# ends with the names of failed tests and the counts that the test runners wrote. Arguments go to `dotnet test` (weft test --filter Name~Tokenizer), which then runs alone.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cd "$root"
dotnet=${dotnet:-dotnet}
say() { printf 'weft: %s\n' "$*" >&2; }

if [[ ${1-} == --help || ${1-} == -h ]]; then
    cat <<'HELP'
Builds everything and runs all tests; the last line is 'N passed, N failed, N skipped'.

Usage: weft test [arguments of dotnet test]

Examples:
  weft test
  weft test --filter Name~Tokenizer
HELP
    exit 0
fi

shared=${WEFT_SHARED:-$root/../shared}
[[ -d $shared/goldens ]] ||
    say "there are no reference checkpoints in $shared (WEFT_SHARED names another place): tests that compare with them are skipped"

say 'building everything (Release) …'
log=$root/artifacts/test.log
results=$root/artifacts/test-results
rm -rf "$results"
mkdir -p "$results"
if ! "$dotnet" build Runtime.sln -c Release -v q --nologo >"$log" 2>&1; then
    grep -E 'error|warning' "$log" | sort -u || cat "$log"
    say 'the build failed'
    exit 1
fi

simulator=0
"$root/simulator/build.sh" || simulator=$?
case $simulator in
    0) ;;
    3) say 'tests that need the software CUDA device are skipped' ;;
    *) exit 1 ;;
esac

say 'running the tests …'
status=0
device_log=$root/artifacts/simulator-test.log
: >"$device_log"
if ((simulator == 0 && $# == 0)); then
    { cmake --build "$root/artifacts/cmake" -j "$(nproc)" && ctest --test-dir "$root/artifacts/cmake" --verbose; } >"$device_log" 2>&1 || {
        status=1
        grep -E -A1 'FAILED |error:|Timeout|Exception' "$device_log" || cat "$device_log"
    }
fi
# Two projects at a time, the longest first, so that both processors are busy to the end.
longest='Kernels Cli Runtime Daemon Interop Convert'
projects=$({ printf 'tests/%s.Tests\n' $longest; printf '%s\n' tests/*.Tests; } | awk '!seen[$0]++')
run_tests() { # PROJECT [arguments of dotnet test]
    local name=${1##*/}
    "$dotnet" test "$1" -c Release --no-build --nologo --logger "trx;LogFileName=$name.trx" --logger 'console;verbosity=minimal' \
        --results-directory "$results" "${@:2}" >"$results/$name.log" 2>&1
}
export -f run_tests
export dotnet results
xargs -P 2 -I '{}' bash -c 'run_tests "$@"' _ '{}' "$@" <<<"$projects" || status=$?
cat "$results"/*.log >"$log"

# Result files start with one <Counters …/> element each; a test that did not run is total minus executed.
elements() { cat "$results"/*.trx 2>/dev/null | tr '>' '\n'; }
counts=$(elements | awk '
    function value(name) { return match($0, " " name "=\"[0-9]+\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) + 0 : 0 }
    /<Counters / {
        passed += value("passed"); skipped += value("total") - value("executed")
        failed += value("executed") - value("passed")
    }
    END { printf "%d %d %d", passed, failed, skipped }')
read -r passed failed skipped <<<"$counts"
# The device's tests say a line a case.
passed=$((passed + $(grep -c '^[0-9]*: passed  ' "$device_log" || true)))
failed=$((failed + $(grep -c '^[0-9]*: FAILED  ' "$device_log" || true)))

if ((failed > 0 || status != 0)); then
    grep -vE '^\s*(Test run for|VSTest version|A total of|Starting test execution|Results File:|$)' "$log" || true
fi
if ((failed > 0)); then
    # By name, last, where they are seen: results have the id of their test, whose definition comes after them and has the class.
    elements | awk '
        function value(name) { return match($0, " " name "=\"[^\"]*\"") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) : "" }
        /<UnitTestResult / && !/ outcome="(Passed|NotExecuted)"/ { failed[value("testId")] }
        /<UnitTest / { id = value("id") }
        /<TestMethod / && id in failed {
            test = value("className") "." value("name")
            gsub(/&quot;/, "\"", test); gsub(/&lt;/, "<", test); gsub(/&gt;/, ">", test); gsub(/&amp;/, "\\&", test)
            print "failed: " test
        }'
    awk '/^[0-9]+: FAILED  / { sub(/^[0-9]+: FAILED  /, ""); print "failed: " $0 }' "$device_log"
fi
if ((failed == 0 && status != 0)); then say 'a test run ended before its end'; fi
if ((passed + failed == 0)); then say 'no test ran'; fi
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
((failed == 0 && status == 0 && passed > 0))
