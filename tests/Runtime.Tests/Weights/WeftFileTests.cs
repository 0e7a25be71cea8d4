using FsCheck;
using FsCheck.Fluent;
using Weft.Models;
using Weft.Reference;
using Weft.Tensors;
using Weft.Tokenizers;
using Weft.Weights;

namespace Weft.Runtime.Tests.Weights;

/// <summary>What is written is read back, and no damage passes.</summary>
[TestFixture]
public sealed class WeftFileTests
{
    [Test]
    public void Random_models_round_trip()
    {
        var models = from layers in Gen.Choose(0, 3)
                     from groups in Gen.Choose(1, 3)
                     from share in Gen.Choose(1, 3)
                     from half in Gen.Choose(1, 20)
                     from hidden in Gen.Choose(1, 70)
                     from vocabulary in Gen.Choose(1, 90)
                     from bias in Gen.Elements(true, false)
                     from tied in Gen.Elements(true, false)
                     from window in Gen.Elements((int?)null, 1, 4096)
                     from type in Gen.Elements(DataType.Float32, DataType.Float16, DataType.BFloat16)
                     select (TinyModel.Describe(layers, hidden, groups * share, groups, 2 * half, hidden + 1, vocabulary, bias: bias, window: window, tied: tied), type);
        Prop.ForAll(models.ToArbitrary(), pair =>
        {
            using var tiny = TinyModel.Create(pair.Item1, pair.type);
            using var file = WeftFile.Open(tiny.Path);
            file.Verify();
            Assert.That(System.Text.Json.JsonSerializer.Serialize(file.Header.Model, WeftJson.Header.Options), Is.EqualTo(System.Text.Json.JsonSerializer.Serialize(pair.Item1, WeftJson.Header.Options)));
            foreach (var tensor in file.Header.Tensors)
            {
                var count = tensor.Shape.Aggregate(1, (a, b) => a * b);
                var (bytes, _) = TinyModel.Encode(tiny.Weights[tensor.Name], tensor.DataType);
                Assert.That(file.Bytes(tensor, 0, count * tensor.DataType.Size()).ToArray(), Is.EqualTo(bytes), tensor.Name);
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));
    }

    [Test]
    public void Every_member_of_a_header_round_trips()
    {
        var header = new WeftHeader
        {
            Model = TinyModel.Describe(layers: 0, hidden: 2, vocabulary: 3, tied: true),
            Tokenizer = new TokenizerDescription
            {
                AddedTokens = [new() { Id = 2, Content = "<é🙂>", Special = true, StripLeft = true, StripRight = true, Normalized = true, SingleWord = true }],
                Normalizers = [new() { Kind = NormalizerKind.Replace, Pattern = " ", Content = "\u2581" }, new() { Kind = NormalizerKind.Nfc }],
                PreTokenizers = [new() { Kind = PreTokenizerKind.Split, Pattern = @"\p{L}+|""'\\" }, new() { Kind = PreTokenizerKind.Metaspace, Pattern = "_", OnlyFirst = true }],
                Model = new TokenModelDescription { Kind = TokenModelKind.Unigram, Scores = [1, 2, 0.1], Tokens = ["a", null, "ab"], Merges = [0, 0], ByteFallback = true, Unknown = 0, FuseUnknown = true, ControlTokens = [1], UnusedTokens = [2], WholeTokens = [0] },
                Prefix = [1],
                Suffix = [2],
                Decoders = [new() { Kind = DecoderKind.Strip, Content = " ", Start = 1, Stop = 2 }, new() { Kind = DecoderKind.Pieces, Pattern = "\u2581", Content = " ⁇ ", Prefixed = true, Cleanup = true }],
            },
            ChatTemplate = "{% for m in messages %}\n\t{{ m }}\u0000{% endfor %}",
            Generation = new GenerationDefaults { BosToken = 0, EosTokens = [1, 2], PadToken = 3, Temperature = 0.5f, TopK = 40, TopP = 0.9f, RepetitionPenalty = 1.1f },
            Provenance = new Provenance { Architecture = "A", Converter = "B", Sources = [new("c", 5, new string('f', 64))] },
            Tensors = [new("embedding.weight", DataType.Float16, TensorLayout.RowMajor, [3, 2], 0, 0, 0), new("final_norm.weight", DataType.Float32, TensorLayout.RowMajor, [2], 0, 0, 0)],
        };
        var folder = Directory.CreateTempSubdirectory("weft-tests-");
        try
        {
            var path = Path.Combine(folder.FullName, "all.weft");
            using (var writer = WeftWriter.Create(path, header))
            {
                writer.Begin("final_norm.weight");
                writer.Append(new byte[8]);
                writer.Begin("embedding.weight");
                writer.Append(new byte[5]);
                writer.Append(new byte[7]);
                header = writer.Complete(header);
            }

            using var file = WeftFile.Open(path);
            string Json(WeftHeader value) => System.Text.Json.JsonSerializer.Serialize(value, WeftJson.Header);
            Assert.That(Json(file.Header), Is.EqualTo(Json(header)));
            Assert.That(file.Header.ChatTemplate, Is.EqualTo(header.ChatTemplate));
            Assert.That(file.Header.Tokenizer!.AddedTokens[0], Is.EqualTo(header.Tokenizer!.AddedTokens[0]));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Test]
    public void A_flipped_bit_anywhere_is_found()
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(layers: 1, hidden: 4, heads: 1, keyValueHeads: 1, headSize: 2, intermediate: 3, vocabulary: 5, tied: true));
        var whole = File.ReadAllBytes(tiny.Path);
        var random = new Random(2);
        for (var at = 0; at < whole.Length; at++)
        {
            var damaged = whole.ToArray();
            damaged[at] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(tiny.Path, damaged);
            try
            {
                using var file = WeftFile.Open(tiny.Path);
                file.Verify();
                Assert.Fail($"byte {at} of {whole.Length}");
            }
            catch (WeftException exception)
            {
                Assert.That(exception.Message, Does.StartWith(tiny.Path));
            }
        }
    }

    [Test]
    public void A_truncated_file_is_found_at_every_length_that_matters()
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(layers: 1));
        var whole = File.ReadAllBytes(tiny.Path);
        foreach (var length in Enumerable.Range(0, 40).Concat(Enumerable.Range(1, 200).Select(i => whole.Length * i / 201)).Append(whole.Length - 1))
        {
            File.WriteAllBytes(tiny.Path, whole[..length]);
            Assert.That(() => WeftFile.Open(tiny.Path).Dispose(), Throws.TypeOf<WeftException>().With.Message.StartsWith(tiny.Path), $"{length} bytes");
        }
    }

    [Test]
    public void Bytes_after_the_last_tensor_other_versions_and_other_files_are_refused()
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(layers: 1));
        var whole = File.ReadAllBytes(tiny.Path);
        void Expect(byte[] bytes, string message)
        {
            File.WriteAllBytes(tiny.Path, bytes);
            Assert.That(() => WeftFile.Open(tiny.Path).Dispose(), Throws.TypeOf<WeftException>().With.Message.Contains(message));
        }

        Expect([.. whole, 0], "follow the last tensor");
        Expect([.. "WEFT"u8, 1, 0, 0, 0, .. whole[8..]], "format version 1");
        Expect([.. "GGUF"u8, .. whole[4..]], "not a packed file");
        Expect([.. whole[..8], .. BitConverter.GetBytes(ulong.MaxValue), .. whole[16..]], "the file ends earlier");
        Expect([.. whole[..20], 1, .. whole[21..]], "must be zero");
        Assert.That(() => WeftFile.Open(tiny.Path + ".not").Dispose(), Throws.TypeOf<WeftException>().With.Message.Contains("does not exist"));
        Assert.That(() => WeftFile.Open(Path.GetTempPath()).Dispose(), Throws.TypeOf<WeftException>().With.Message.Contains("folder"));
    }

    [Test]
    public void A_writer_that_is_not_completed_leaves_nothing_and_touches_nothing()
    {
        using var tiny = TinyModel.Create(TinyModel.Describe(layers: 1));
        var folder = Path.GetDirectoryName(tiny.Path)!;
        var before = File.ReadAllBytes(tiny.Path);
        using (var open = WeftFile.Open(tiny.Path))
        using (var writer = WeftWriter.Create(tiny.Path, open.Header))
        {
            writer.Begin("embedding.weight");
            writer.Append(new byte[100]);
            Assert.That(Directory.GetFiles(folder), Has.Length.EqualTo(2));
        }

        Assert.That(Directory.GetFiles(folder), Is.EqualTo(new[] { tiny.Path }));
        Assert.That(File.ReadAllBytes(tiny.Path), Is.EqualTo(before));
    }
}
