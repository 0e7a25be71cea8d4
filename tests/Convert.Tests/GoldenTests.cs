using System.Security.Cryptography;
using Weft.Convert.Checkpoints;
using Weft.Convert.Families;
using Weft.Convert.Tests.Support;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;
using Weft.Weights;

namespace Weft.Convert.Tests;

/// <summary>Every checkpoint of the LLaMA lineage at hand: what the header says, and every number against the source's.</summary>
[TestFixture]
public sealed class GoldenTests
{
    private static readonly string[] Names = ["llama", "llama2-gqa", "llama3", "mistral", "qwen2", "llama-yarn", "internlm", "bard"];

    [TestCaseSource(nameof(Names))]
    public void Every_tensor_equals_its_source(string name)
    {
        var folder = Find(name);
        using var scratch = new ScratchFolder();
        using var file = Convert(folder, scratch, "a.weft");
        var sources = Checkpoint.Open(folder).Tensors;
        var family = FamilyCatalog.Find(ConfigFile.Open(Path.Combine(folder, "config.json"))).Family;
        foreach (var tensor in file.Header.Tensors)
        {
            var source = sources[family.SourceName(tensor.Name)];
            var bytes = File.ReadAllBytes(source.File).AsSpan((int)source.Offset, (int)source.ByteLength);
            var packed = file.Bytes(tensor, 0, (int)tensor.Length);
            var singles = tensor.Shape.Count == 1;
            Assert.That(tensor.DataType, Is.EqualTo(singles ? DataType.Float32 : source.Type == StoredType.Float16 ? DataType.Float16 : DataType.BFloat16), tensor.Name);
            Assert.That(tensor.Shape.Select(size => (long)size), Is.EqualTo(source.Shape), tensor.Name);
            Assert.That((singles ? Widened(source.Type, bytes) : bytes).SequenceEqual(packed), tensor.Name);
        }

        Assert.That(file.Header.Tensors.Select(tensor => tensor.Name), Is.EqualTo(TensorSchema.Of(file.Header.Model).Select(tensor => tensor.Name)));
    }

    [TestCaseSource(nameof(Names))]
    public void The_same_source_makes_the_same_bytes(string name)
    {
        var folder = Find(name);
        using var scratch = new ScratchFolder();
        Convert(folder, scratch, "a.weft").Dispose();
        Convert(folder, scratch, "b.weft").Dispose();
        Assert.That(File.ReadAllBytes(scratch["a.weft"]).AsSpan().SequenceEqual(File.ReadAllBytes(scratch["b.weft"])));
    }

    [TestCaseSource(nameof(Names))]
    public void Provenance_holds_the_hash_of_every_source(string name)
    {
        var folder = Find(name);
        using var scratch = new ScratchFolder();
        using var file = Convert(folder, scratch, "a.weft");
        var provenance = file.Header.Provenance;
        string[] unread = ["expected.safetensors", "golden.json", "README.md", "heldout.txt"];
        Assert.Multiple(() =>
        {
            Assert.That(provenance.Architecture, Is.EqualTo(name switch { "mistral" => "MistralForCausalLM", "qwen2" => "Qwen2ForCausalLM", _ => "LlamaForCausalLM" }));
            Assert.That(provenance.Converter, Does.Match(@"^weft \d+\.\d+\.\d+$"));
            Assert.That(
                provenance.Sources.Select(source => source.Name),
                Is.EquivalentTo(Directory.EnumerateFiles(folder).Select(Path.GetFileName).Except(unread)));
            foreach (var source in provenance.Sources)
            {
                var bytes = File.ReadAllBytes(Path.Combine(folder, source.Name));
                Assert.That(source, Is.EqualTo(new SourceFile(source.Name, bytes.Length, System.Convert.ToHexStringLower(SHA256.HashData(bytes)))));
            }
        });
    }

    [TestCase("llama", 2, 2, 64, null, false, false, false)]
    [TestCase("llama2-gqa", 4, 1, 64, null, false, false, false)]
    [TestCase("llama3", 4, 2, 64, null, false, false, true)]
    [TestCase("mistral", 4, 2, 64, 16, false, false, false)]
    [TestCase("qwen2", 4, 2, 64, null, true, false, true)]
    [TestCase("llama-yarn", 2, 2, 64, null, false, false, false)]
    [TestCase("internlm", 2, 2, 64, null, true, true, false)]
    [TestCase("bard", 4, 2, 64, null, false, false, true)]
    public void The_description_has_the_right_blocks(
        string name, int heads, int keyValueHeads, int headSize, int? window, bool inputBias, bool outputBias, bool tied)
    {
        using var scratch = new ScratchFolder();
        using var file = Convert(Find(name), scratch, "a.weft");
        var model = file.Header.Model;
        Assert.Multiple(() =>
        {
            Assert.That(model.Head.Tied, Is.EqualTo(tied));
            Assert.That(model.ContextLength, Is.EqualTo(256));
            foreach (var layer in model.Layers)
            {
                var attention = layer.Attention!;
                Assert.That((attention.QueryHeads, attention.KeyValueHeads, attention.HeadSize), Is.EqualTo((heads, keyValueHeads, headSize)));
                Assert.That(attention.Scale, Is.EqualTo(0.125f));
                Assert.That((attention.Window, attention.InputBias, attention.OutputBias), Is.EqualTo((window, inputBias, outputBias)));
                Assert.That((layer.FeedForward!.Activation, layer.FeedForward!.Bias), Is.EqualTo((Activation.Silu, false)));
                Assert.That(layer.AttentionNorm, Is.EqualTo(new NormDescription { Kind = NormKind.Rms, Epsilon = 1e-5f }));
            }
        });
    }

    [Test]
    public void Scaling_of_rotary_frequencies_is_read()
    {
        using var scratch = new ScratchFolder();
        using var llama3 = Convert(Find("llama3"), scratch, "a.weft");
        using var yarn = Convert(Find("llama-yarn"), scratch, "b.weft");
        Assert.That(llama3.Header.Model.Layers[0].Attention!.Rotary, Is.EqualTo(new RotaryDescription
        {
            Theta = 500000,
            Scaling = new() { Kind = RotaryScalingKind.Llama3, Factor = 8, OriginalContextLength = 64, LowFrequencyFactor = 1, HighFrequencyFactor = 4 },
        }));
        Assert.That(yarn.Header.Model.Layers[1].Attention!.Rotary, Is.EqualTo(new RotaryDescription
        {
            Theta = 10000,
            Scaling = new()
            {
                Kind = RotaryScalingKind.Yarn, Factor = 4, OriginalContextLength = 64, BetaFast = 32, BetaSlow = 1, AttentionFactor = (0.1 * Math.Log(4)) + 1,
            },
        }));
    }

    private static string Find(string name)
    {
        if (name == "bard")
            return Path.Combine(SharedData.Repository, "models", "bard");
        if (SharedData.TryFind($"goldens/{name}") is { } folder)
            return folder;
        Assert.Ignore("the shared goldens are not beside the repository");
        return "";
    }

    private static WeftFile Convert(string folder, ScratchFolder scratch, string name)
    {
        Converter.Convert(new(folder, scratch[name]));
        var file = WeftFile.Open(scratch[name]);
        file.Verify();
        return file;
    }

    private static byte[] Widened(StoredType type, ReadOnlySpan<byte> bytes)
    {
        var result = new List<byte>();
        for (var i = 0; i < bytes.Length; i += 2)
        {
            var bits = BitConverter.ToUInt16(bytes[i..]);
            result.AddRange(BitConverter.GetBytes((float)(type == StoredType.Float16 ? NumberFormats.FromFloat16(bits) : NumberFormats.FromBFloat16(bits))));
        }

        return [.. result];
    }
}
