using System.Diagnostics;
using System.Globalization;
using Weft.RandomCheckpoint;

// Writes a Llama checkpoint with random bf16 weights, for benchmarks of real shapes without a download:
// dotnet run -c Release --project tests/RandomCheckpoint -- OUT_DIR [--shape tinyllama|small] [--seed N]
const string Usage = "usage: OUT_DIR [--shape tinyllama|small] [--seed N]";
(string? folder, var shape, var seed) = (null, LlamaShape.TinyLlama, 0UL);
for (var i = 0; i < args.Length; i++)
{
    var value = i + 1 < args.Length ? args[i + 1] : "";
    switch (args[i])
    {
        case "--shape" when LlamaShape.TryFind(value, out var known):
            (shape, i) = (known, i + 1);
            break;
        case "--seed" when ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number):
            (seed, i) = (number, i + 1);
            break;
        case var argument when folder is null && !argument.StartsWith('-'):
            folder = argument;
            break;
        default:
            Console.Error.WriteLine(Usage);
            return 2;
    }
}

if (folder is null)
{
    Console.Error.WriteLine(Usage);
    return 2;
}

var clock = Stopwatch.StartNew();
try
{
    var bytes = CheckpointWriter.Write(folder, shape, seed);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{folder}: {bytes / 1e6:f1} MB in {clock.Elapsed.TotalSeconds:f1} s"));
    return 0;
}
catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine(failure.Message);
    return 1;
}
