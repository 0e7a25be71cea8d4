using Weft.Models;
using Weft.Reference;

namespace Weft.Runtime.Tests;

/// <summary>The reference itself, against the goldens' logits and against numbers known by other means.</summary>
public sealed class ReferenceTests
{
    [TestCase("llama2-gqa")]
    [TestCase("llama3")]
    [TestCase("mistral")]
    [TestCase("qwen2")]
    [TestCase("llama-yarn")]
    [TestCase("internlm")]
    public void The_decoder_computes_the_goldens_logits(string name)
    {
        if (SharedData.TryFind($"goldens/{name}") is not { } folder)
        {
            Assert.Ignore($"the golden {name} is not in the shared folder");
            return;
        }

        var (model, tensors) = GoldenModel.Load(folder);
        Assert.That(tensors.Keys, Is.EquivalentTo(TensorSchema.Of(model).Select(t => t.Name)));
        var expected = SafetensorsReader.Read(Path.Combine(folder, "expected.safetensors"));
        var prompt = Array.ConvertAll(expected["prompt_ids"], id => (int)id);
        var error = ErrorMeasure.RelativeRms(new ReferenceDecoder(model, tensors).Logits(prompt), expected["logits"]);
        TestContext.Out.WriteLine($"{name}: relative RMS {error:E2}");
        Assert.That(error, Is.LessThanOrEqualTo(1e-5));
    }

    [Test]
    public void Number_formats_decode_every_16_bit_pattern()
    {
        for (var bits = 0; bits <= ushort.MaxValue; bits++)
        {
            var half = (double)BitConverter.UInt16BitsToHalf((ushort)bits);
            var brain = (double)BitConverter.UInt32BitsToSingle((uint)bits << 16);
            if (!NumberFormats.FromFloat16((ushort)bits).Equals(half) || !NumberFormats.FromBFloat16((ushort)bits).Equals(brain))
                Assert.Fail($"pattern {bits:x4}");
        }
    }

    // Computed with the C library's erfc.
    [TestCase(0, 1)]
    [TestCase(0.5, 0.4795001221869535)]
    [TestCase(1, 0.1572992070502851)]
    [TestCase(2, 0.004677734981047266)]
    [TestCase(3, 2.209049699858544e-05)]
    [TestCase(-1, 1.8427007929497148)]
    public void Erfc_agrees_with_tables(double x, double expected) =>
        Assert.That(ReferenceActivation.Erfc(x), Is.EqualTo(expected).Within(1e-12 * expected + 1e-15));

    [Test]
    public void Linear_scaling_divides_the_frequencies()
    {
        var plain = new RotaryDescription { Theta = 10000 };
        var scaled = plain with { Scaling = new() { Kind = RotaryScalingKind.Linear, Factor = 4 } };
        Assert.That(ReferenceRotary.Frequencies(scaled, 8), Is.EqualTo(ReferenceRotary.Frequencies(plain, 8).Select(f => f / 4)));
        Assert.That(ReferenceRotary.Frequencies(plain, 8), Is.EqualTo(new[] { 1, 0.1, 0.01, 0.001 }).Within(1e-15));
    }
}
