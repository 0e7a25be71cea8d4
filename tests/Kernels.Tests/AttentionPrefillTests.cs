using Weft.Backends.Cuda.Kernels;
using Weft.Kernels.Tests.Support;
using Weft.Reference;
using Weft.Tensors;

namespace Weft.Kernels.Tests;

/// <summary>kernels/attention_prefill.cu against the plain definition: ragged batches over a paged cache.</summary>
[TestFixture]
public sealed class AttentionPrefillTests
{
    private const int Turing = 75;
    private const int Ampere = 80;
    private const int Hopper = 90;
    private const int Groups = 2;

    // (tokens in the step, positions that the cache holds before them)
    private static readonly (int Tokens, int Before)[] Sequences = [(2, 0), (15, 0), (16, 1), (17, 111), (111, 0), (64, 64), (130, 17)];

    [Test]
    public void Causal_attention_matches_its_definition(
        [Values(DataType.Float16, DataType.BFloat16)] DataType type,
        [ValueSource(typeof(HeadSizes), nameof(HeadSizes.All))] int headSize,
        [Values(Turing, Ampere, Hopper)] int computeCapability) =>
        Check(TestDevice.Open((ulong)headSize), new(type, DataType.Float16), headSize, 2, AttentionVariant.Causal, Sequences, computeCapability);

    [Test]
    public void A_cache_of_bf16_is_read_as_well([Values(Ampere, Hopper)] int computeCapability) =>
        Check(TestDevice.Open(), AttentionTypes.Wide, 128, 4, AttentionVariant.Causal, Sequences, computeCapability);

    /// <summary>The kernel's instances know no group; how many tokens share a tile depends on nothing else.</summary>
    [Test]
    public void Groups_of_every_size_match_their_definition(
        [Values(80, 128)] int headSize, [Values(1, 7)] int groupHeads, [Values(Turing, Ampere, Hopper)] int computeCapability) =>
        Check(
            TestDevice.Open((ulong)headSize), AttentionTypes.Usual[headSize == 80 ? 0 : 1], headSize, groupHeads, AttentionVariant.Causal, Sequences,
            computeCapability);

    [TestCaseSource(nameof(Variants))]
    public void Every_variant_matches_its_definition(int variant, int headSize, int seed, int computeCapability) =>
        Check(TestDevice.Open((ulong)seed), AttentionTypes.Usual[seed == 2 ? 1 : 0], headSize, 4, (AttentionVariant)variant, Sequences, computeCapability);

    /// <summary>A type converts what is read and written and names the matrix instruction; what a window hides does not depend on it.</summary>
    [Test]
    public void A_window_matches_its_definition_at_every_head_size(
        [ValueSource(typeof(HeadSizes), nameof(HeadSizes.All))] int headSize, [Values(Ampere, Hopper)] int computeCapability) =>
        Check(
            TestDevice.Open((ulong)headSize), AttentionTypes.Usual[((headSize / 16) + (computeCapability / 10)) & 1], headSize, 2,
            AttentionVariant.Causal | AttentionVariant.Window, [(17, 111), (64, 64)], computeCapability);

    [Test]
    public void A_long_context_is_read_through_many_tiles([Values(Ampere, Hopper)] int computeCapability) =>
        Check(TestDevice.Open(), AttentionTypes.Usual[1], 128, 4, AttentionVariant.Causal, [(3, 1000), (1003, 0)], computeCapability);

    /// <summary>Both types at one head size, and another order of warps at the other.</summary>
    private static IEnumerable<object[]> Variants() =>
        from variant in AttentionPrefillKernel.Variants.Append(AttentionVariant.Causal | AttentionVariant.Window)
        from run in ((int HeadSize, int Seed)[])[(64, 1), (64, 2), (128, 3)]
        from computeCapability in (int[])[Ampere, Hopper]
        select (object[])[(int)variant, run.HeadSize, run.Seed, computeCapability];

    private static void Check(
        TestDevice device, AttentionTypes types, int headSize, int groupHeads, AttentionVariant variant, (int Tokens, int Before)[] sequences, int computeCapability)
    {
        if (computeCapability == Hopper && device.Context.Device.ComputeCapability != Hopper)
            Assert.Ignore("wgmma needs compute capability 9.0");
        var random = new Random(headSize + groupHeads);
        var heads = groupHeads * Groups;
        var width = heads * headSize;
        var stride = width + 24;
        using var cache = new PagedCache(device, types.Cache, [.. sequences.Select(s => s.Tokens + s.Before)], Groups, headSize, random);
        var starts = sequences.Aggregate(new List<int> { 0 }, (list, s) => [.. list, list[^1] + s.Tokens]);
        var positions = sequences.SelectMany(s => Enumerable.Range(s.Before, s.Tokens)).ToArray();
        var tokensPerTile = AttentionPrefillKernel.TokensPerTile(heads, Groups);
        var tiles = Enumerable.Range(0, sequences.Length)
            .SelectMany(i => Enumerable.Range(0, (sequences[i].Tokens + tokensPerTile - 1) / tokensPerTile).Select(t => new AttentionTile(i, starts[i] + (t * tokensPerTile))))
            .ToArray();
        var scores = ScoreSettings.Random(random, heads, sequences.Length, headSize, variant);
        var q = Values.Random(random, positions.Length * width);
        using var pq = device.Upload(Values.Strided(Values.Encode(q, types.Cache), width, stride, ushort.MaxValue));
        using var y = device.Poisoned<ushort>(positions.Length * stride);
        using var pt = device.Upload(tiles);
        using var ps = device.Upload(starts.Skip(1).ToArray());
        using var pp = device.Upload(positions);
        using var uploaded = scores.Upload(device);
        device.Run(
            AttentionPrefillKernel.Instance(types, headSize, variant, computeCapability),
            AttentionPrefillKernel.Shape(tiles.Length, Groups, headSize, computeCapability),
            new AttentionPrefillParams
            {
                Q = pq.Address,
                Keys = cache.Keys.Address,
                Values = cache.ValuesArray.Address,
                Y = y.Address,
                Tiles = pt.Address,
                PromptEnds = ps.Address,
                Positions = pp.Address,
                BlockTables = cache.Table.Address,
                Score = uploaded.Parameters,
                QueryHeads = heads,
                KeyHeads = Groups,
                QStride = stride,
                YStride = stride,
                MaxBlocks = cache.MaxBlocks,
                TileTokens = tokensPerTile,
            });

        var stored = y.Download();
        Assert.That(Values.Between(stored, width, stride), Has.All.EqualTo(ushort.MaxValue));
        for (var i = 0; i < sequences.Length; i++)
        {
            var rows = starts[i]..starts[i + 1];
            var query = Values.Round(q[(rows.Start.Value * width)..(rows.End.Value * width)], types.Cache);
            var expected = scores.Attend(query, cache.KeysOf[i], cache.ValuesOf[i], positions[rows], i, Groups);
            var actual = Values.Decode(Values.Unstrided(stored[(rows.Start.Value * stride)..(rows.End.Value * stride)], width, stride), types.Result);
            // Weights and results are rounded to T once each.
            Assert.That(ErrorMeasure.RelativeRms(actual, expected), Is.LessThan(2 * Values.Rounding(types.Result)), $"{variant}: {sequences[i]}");
        }
    }
}
