#!/usr/bin/env bash
# Packs what a machine with a GPU needs to check and time Weft, and nothing that it must install: the program, the kernel tests and reference
# checkpoints.   tools/profile/bundle.sh CHECKPOINT…   →  artifacts/gpu/weft-gpu.tar.xz
# There:   tar xf weft-gpu.tar.xz && weft-gpu/weft profile gpu --tests weft-gpu/tests/Weft.Kernels.Tests --goldens weft-gpu/goldens --out result
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
folder=$root/artifacts/gpu
rm -rf "$folder"
mkdir -p "$folder/weft-gpu/goldens"
for checkpoint in "$@"; do
    cp -rL "$checkpoint" "$folder/weft-gpu/goldens/"
done

cd "$root"
publish=(dotnet publish -c Release -r linux-x64 --self-contained -v q --nologo -p:DebugType=none -p:GenerateDocumentationFile=false)
"${publish[@]}" src/Cli -p:PublishSingleFile=true -p:PublishTrimmed=true -p:TrimMode=partial -o "$folder/weft-gpu"
# The test runner reads its assemblies as files, so this one is a folder.
"${publish[@]}" tests/Kernels.Tests -p:Standalone=true -o "$folder/weft-gpu/tests"
rm -rf "$folder/weft-gpu/tests/Microsoft.CodeCoverage"
tar -C "$folder" -cJf "$folder/weft-gpu.tar.xz" weft-gpu
rm -rf "$folder/weft-gpu"
du -h "$folder/weft-gpu.tar.xz"
