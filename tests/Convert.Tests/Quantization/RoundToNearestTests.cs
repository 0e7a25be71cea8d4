using Weft.Convert.Tests.Support;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Tests.Quantization;

/// <summary>Quantizing a dense checkpoint to 4 bits by rounding.</summary>
[TestFixture]
public sealed class RoundToNearestTests
{
    private const int Size = 64;

    [Test]
    public void Every_weight_is_within_half_a_step([Values(32, 64, -1)] int groupSize)
    {
        using var scratch = new ScratchFolder();
        var source = Source();
        // A group of zeros, one of a single sign, and an outlier.
        source.Replace("model.layers.0.self_attn.q_proj.weight", tensor => Enumerable.Range(0, Size).Aggregate(
            tensor.With(Size * 3, 25f), (t, i) => t.With((Size * 5) + i, 0f).With((Size * 6) + i, 0.5f + (i * 0.01f))));
        source.Write(scratch["source"]);
        Converter.Convert(new(scratch["source"], scratch["a.weft"], GroupSize: groupSize));
        Converter.Convert(new(scratch["source"], scratch["dense.weft"], DataType.Float32));
        using var file = WeftFile.Open(scratch["a.weft"]);
        using var dense = WeftFile.Open(scratch["dense.weft"]);
        file.Verify();
        foreach (var tensor in file.Header.Tensors)
        {
            var isLinear = tensor.Shape.Count == 2 && tensor.Name.StartsWith("layers.", StringComparison.Ordinal);
            Assert.That(tensor.DataType.IsQuantized(), Is.EqualTo(isLinear), tensor.Name);
            if (!isLinear)
                continue;
            var original = dense.Find(tensor.Name);
            var actual = PackedWeights.Read(file, tensor);
            var (m, k) = (tensor.Shape[0], tensor.Shape[1]);
            var size = groupSize == -1 ? k : groupSize;
            for (var row = 0; row < m; row++)
            {
                var weights = Enumerable.Range(0, k).Select(column => (double)BitConverter.ToSingle(dense.Bytes(original, ((row * (long)k) + column) * 4, 4))).ToArray();
                for (var column = 0; column < k; column++)
                {
                    var group = weights.AsSpan(column / size * size, size).ToArray();
                    // Half a step, and what rounding the scale to f16 and the zero point to a code takes from the ends.
                    var step = (Math.Max(group.Max(), 0) - Math.Min(group.Min(), 0)) / 15;
                    Assert.That(actual[row, column], Is.EqualTo(weights[column]).Within((1.01 * step) + 1e-6), $"{tensor.Name} [{row}, {column}]");
                    if (weights[column] == 0)
                        Assert.That(actual[row, column], Is.Zero);
                }
            }
        }
    }

    [Test]
    public void The_same_source_makes_the_same_bytes()
    {
        using var scratch = new ScratchFolder();
        Source().Write(scratch["source"]);
        Converter.Convert(new(scratch["source"], scratch["a.weft"], GroupSize: 64));
        Converter.Convert(new(scratch["source"], scratch["b.weft"], GroupSize: 64));
        Assert.That(File.ReadAllBytes(scratch["a.weft"]), Is.EqualTo(File.ReadAllBytes(scratch["b.weft"])));
    }

    [Test]
    public void Groups_that_do_not_divide_the_columns_are_refused_with_the_tensor()
    {
        using var scratch = new ScratchFolder();
        Source().Write(scratch["source"]);
        Assert.That(
            () => Converter.Convert(new(scratch["source"], scratch["a.weft"], GroupSize: 128)),
            Throws.TypeOf<WeftException>().With.Message.Contains("q_proj.weight' has 64 columns, for groups of 128"));
        Assert.That(File.Exists(scratch["a.weft"]), Is.False);
    }

    private static TinyCheckpoint Source()
    {
        var checkpoint = new TinyCheckpoint();
        checkpoint.Config["hidden_size"] = Size;
        checkpoint.Config["intermediate_size"] = 2 * Size;
        var shapes = checkpoint.Tensors.ToDictionary(tensor => tensor.Name, tensor => tensor.Shape.Select(size => size switch
        {
            TinyCheckpoint.Hidden => Size,
            TinyCheckpoint.KeyValue => Size / 2,
            TinyCheckpoint.Intermediate => 2 * Size,
            _ => size,
        }).ToArray());
        foreach (var (name, shape) in shapes)
            checkpoint.Replace(name, _ => TinyTensor.Random(name, shape, name.Length));
        return checkpoint;
    }
}
