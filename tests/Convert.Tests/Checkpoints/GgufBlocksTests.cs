using Weft.Convert.Checkpoints;
using Weft.Convert.Tests.Support;

namespace Weft.Convert.Tests.Checkpoints;

/// <summary>
/// GGUF's quantized types against llama.cpp's own gguf-py: two blocks of bytes that a simple rule gives. What its dequantize makes of them is held by two sums.
/// </summary>
[TestFixture]
public sealed class GgufBlocksTests
{
    [TestCase("Q4_0", -124.0, 48.125, 0)]
    [TestCase("Q4_1", 859.25, 100.125, 0, 2)]
    [TestCase("Q5_0", -364.875, 91.375, 0)]
    [TestCase("Q5_1", 1739.75, 203.0, 0, 2)]
    [TestCase("Q8_0", 968.5, 773.0, 0)]
    [TestCase("Q2_K", -5556.875, 1254.625, 80, 82)]
    [TestCase("Q3_K", 984.5, 2787.625, 108)]
    [TestCase("Q4_K", 134590.375, 18387.625, 0, 2)]
    [TestCase("Q5_K", 382281.0, 45403.0, 0, 2)]
    [TestCase("Q6_K", 88166.125, 105657.375, 208)]
    [TestCase("IQ4_NL", -1832.625, 668.0, 0)]
    [TestCase("IQ4_XS", 192384.25, 92756.625, 0)]
    [TestCase("MXFP4", 193.75, 92.0)]
    public void Blocks_become_what_llama_cpp_makes_of_them(string name, double weighted, double absolute, params int[] scales)
    {
        var type = GgufBlockType.All.Values.Single(type => type.Name == name);
        var bytes = Enumerable.Range(0, 2 * type.Bytes).Select(i => (byte)((i * 167) + (i / 7 * 31) + 13)).ToArray();
        for (var block = 0; block < 2; block++)
        {
            for (var i = 0; i < scales.Length; i++)
                BitConverter.TryWriteBytes(bytes.AsSpan((block * type.Bytes) + scales[i]), (Half)(0.125 * (i + 1) * (block + 1)));
            if (scales.Length == 0)
                bytes[block * type.Bytes] = (byte)(126 + block);
        }

        using var scratch = new ScratchFolder();
        byte[] before = [1, 2, 3, 4, 5];
        File.WriteAllBytes(scratch["blocks"], [.. before, .. bytes]);
        using var file = SourceReader.Open(scratch["blocks"]);
        var coded = new GgufBlocks(before.Length, type);
        var values = new float[2 * type.Elements];
        coded.Read(file, 0, values);
        Assert.That(values.Select((value, i) => value * (double)((i % 17) + 1)).Sum(), Is.EqualTo(weighted));
        Assert.That(values.Sum(value => Math.Abs((double)value)), Is.EqualTo(absolute));

        // A stretch that begins and ends inside of blocks.
        var part = new float[type.Elements];
        coded.Read(file, 5, part);
        Assert.That(part, Is.EqualTo(values[5..(5 + type.Elements)]));
    }
}
