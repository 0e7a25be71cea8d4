using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests;

/// <summary>kernels/attention_decode.cu against the plain definition.</summary>
[TestFixture]
public sealed class AttentionDecodeTests
{
    // Around a page and a split, and three splits with a part of a page at the end.
    private static readonly int[] Lengths = [1, 15, 16, 17, 111, 256, 257, 523];

    [Test]
    public void Causal_attention_matches_its_definition(
        [Values(DataType.Float16, DataType.BFloat16)] DataType type, [Values(64, 128)] int headSize, [Values(1, 2, 4, 7)] int groupHeads) =>
        Check(TestDevice.Open((ulong)headSize), new(type, DataType.Float16), headSize, groupHeads, AttentionVariant.Causal);

    [Test]
    public void A_cache_of_bf16_is_read_as_well([Values(64, 128)] int headSize) =>
        Check(TestDevice.Open((ulong)headSize), AttentionTypes.Wide, headSize, 4, AttentionVariant.Causal);

    /// <summary>A type converts what is read and written; how lanes share a position and a block its heads does not depend on it. So each pair of sizes has one.</summary>
    [Test]
    public void Causal_attention_matches_its_definition_at_every_head_size(
        [Values(16, 32, 48, 80, 96, 112, 160, 192, 256)] int headSize, [Values(1, 2, 4, 7)] int groupHeads) =>
        Check(TestDevice.Open((ulong)headSize), TypesOf(headSize, groupHeads), headSize, groupHeads, AttentionVariant.Causal);

    [TestCaseSource(nameof(Variants))]
    public void Every_variant_matches_its_definition(int variant, int headSize, int seed) =>
        Check(TestDevice.Open((ulong)seed), AttentionTypes.Usual[seed == 2 ? 1 : 0], headSize, headSize == 64 ? 1 : 4, (AttentionVariant)variant);

    [Test]
    public void A_window_matches_its_definition_at_every_head_size(
        [ValueSource(typeof(HeadSizes), nameof(HeadSizes.All))] int headSize, [Values(1, 2, 4)] int groupHeads) =>
        Check(TestDevice.Open((ulong)headSize), TypesOf(headSize, groupHeads), headSize, groupHeads, AttentionVariant.Causal | AttentionVariant.Window);

    /// <summary>One or the other, in turns.</summary>
    private static AttentionTypes TypesOf(int headSize, int groupHeads) => AttentionTypes.Usual[((headSize / 16) + groupHeads) & 1];

    /// <summary>Both types at one head size, and another order of warps at the other.</summary>
    private static IEnumerable<object[]> Variants() =>
        from variant in AttentionPrefillKernel.Variants.Append(AttentionVariant.Causal | AttentionVariant.Window)
        from run in ((int HeadSize, int Seed)[])[(64, 1), (64, 2), (128, 3)]
        select (object[])[(int)variant, run.HeadSize, run.Seed];

    private static void Check(TestDevice device, AttentionTypes types, int headSize, int groupHeads, AttentionVariant variant)
    {
        const int Groups = 2;
        var random = new Random(headSize + groupHeads);
        var heads = groupHeads * Groups;
        var places = Lengths.Length;
        using var cache = new PagedCache(device, types.Cache, Lengths, Groups, headSize, random);
        var width = heads * headSize;
        var stride = width + 24;
        var q = Values.Random(random, places * width);
        var scores = ScoreSettings.Random(random, heads, places, headSize, variant);
        using var uploaded = scores.Upload(device);
        using var pq = device.Upload(Values.Strided(Values.Encode(q, types.Cache), width, stride, ushort.MaxValue));
        using var y = device.Poisoned<ushort>(places * stride);
        var longest = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Lengths.Max());
        var splits = AttentionDecodeKernel.Splits(longest, variant.HasFlag(AttentionVariant.Window) ? scores.Window : null);
        using var partial = device.Poisoned<byte>((int)AttentionDecodeKernel.PartialBytes(places + 1, heads, headSize, splits));
        using var counters = device.Upload(new uint[AttentionDecodeKernel.Counters(places + 1, heads, Groups)]);
        // Rows in reverse order and an empty place at the end.
        using var rows = device.Upload(Enumerable.Range(0, places).Reverse().Append(-1).ToArray());
        using var tables = device.Upload(Enumerable.Range(0, places).Reverse().Append(0).ToArray());
        using var positions = device.Upload(Array.ConvertAll(Lengths, length => length - 1));
        // Twice: the counters must be left as they were found.
        for (var repeat = 0; repeat < 2; repeat++)
        {
            device.Run(
                AttentionDecodeKernel.Instance(types, headSize, groupHeads, variant),
                AttentionDecodeKernel.Shape(places + 1, heads, Groups, headSize, splits),
                new AttentionDecodeParams
                {
                    Q = pq.Address,
                    Keys = cache.Keys.Address,
                    Values = cache.ValuesArray.Address,
                    Y = y.Address,
                    Partial = partial.Address,
                    Counters = counters.Address,
                    Rows = rows.Address,
                    Tables = tables.Address,
                    Positions = positions.Address,
                    BlockTables = cache.Table.Address,
                    Score = uploaded.Parameters,
                    QueryHeads = heads,
                    KeyHeads = Groups,
                    QStride = stride,
                    YStride = stride,
                    MaxBlocks = cache.MaxBlocks,
                    Splits = splits,
                });
        }

        var stored = y.Download();
        Assert.That(Values.Between(stored, width, stride), Has.All.EqualTo(ushort.MaxValue));
        for (var place = 0; place < places; place++)
        {
            var query = Values.Round(q[(place * width)..((place + 1) * width)], types.Cache);
            var expected = scores.Attend(query, cache.KeysOf[place], cache.ValuesOf[place], [Lengths[place] - 1], place, Groups);
            var actual = Values.Decode(stored[(place * stride)..((place * stride) + width)], types.Result);
            Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(2 * Values.Rounding(types.Result)), $"context {Lengths[place]}");
        }
    }
}
