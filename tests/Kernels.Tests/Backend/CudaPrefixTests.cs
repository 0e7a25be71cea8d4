using Weft.Kernels.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests.Backend;

/// <summary>Models whose prompts have tokens that see each other on the CUDA backend, against the plain definition.</summary>
[TestFixture]
public sealed class CudaPrefixTests
{
    private const int End = 7;
    private const int Blank = 8;

    private static readonly Dictionary<string, Func<RotaryDescription, RotaryDescription?>> Shapes = new()
    {
        ["one position"] = rotary => rotary,
        ["turned in two"] = rotary => rotary with { Spans = true },
        ["two tables"] = _ => null,
    };

    private static IEnumerable<string> Names => Shapes.Keys;

    [Test]
    public void Logits_match_the_definition([ValueSource(nameof(Names))] string shape, [Values(DataType.Float16, DataType.BFloat16)] DataType type)
    {
        _ = TestDevice.Open();
        var model = TinyModel.Describe(headSize: 64) with { Prefix = new() { EndToken = End, BlankTokens = [Blank] } };
        using var tiny = TinyModel.Create(
            model with
            {
                Embedding = shape == "two tables" ? new() { Positions = 256, SpanPositions = 257 } : null,
                Layers = [.. model.Layers.Select(layer => layer with { Attention = layer.Attention! with { Rotary = Shapes[shape](layer.Attention!.Rotary!) } })],
            },
            type);
        using var loaded = Model.Load(tiny.Path, new ModelOptions { Device = new DeviceChoice(TestDevice.IsSimulator ? DeviceKind.Simulator : DeviceKind.Cuda), ActivationType = type });
        foreach (var end in new[] { 70, 1, -1 })
        {
            var random = new Random(3);
            var tokens = Enumerable.Range(0, 90).Select(_ => random.Next(10, 150)).ToArray();
            tokens[Math.Max(end, 12) - 5] = Blank;
            if (end >= 0)
                tokens[end] = End;
            var expected = new ReferenceDecoder(tiny.Description, tiny.Weights).Logits(tokens);
            var actual = new float[expected.Length];
            using var sequence = loaded.CreateSequence();
            var start = 0;
            // The prefix and more, then single tokens: launched, captured and replayed.
            foreach (var step in new[] { 73, 1, 1, 1, 1, 13 })
            {
                sequence.Forward(tokens.AsSpan(start, step), LogitRows.All, actual.AsSpan(start * tiny.Description.VocabularySize));
                start += step;
            }

            Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(type == DataType.Float16 ? 3e-3 : 2e-2), $"a prefix of {end}");
        }
    }
}
