using Weft.Backends;
using Weft.Graph;
using Weft.KvCache;
using Weft.Models;
using Weft.Sampling;
using Weft.Scheduling;
using Weft.Serving;
using Weft.Tensors;
using Weft.Tokenizers;

namespace Weft.Reference;

/// <summary>
/// A device without a model: the token after token t at position p is <see cref="Next"/> of both, at once.
/// </summary>
internal sealed class StubProgram : StepProgram
{
    private readonly int vocabulary;
    private readonly bool runsAhead;
    private readonly int[] drawn;
    private readonly int[] received;
    private readonly float[] logits;

    public StubProgram(int vocabulary = 1000, int maxTokens = 512, int maxSequences = 64, int maxBlocks = 64, bool runsAhead = false)
    {
        this.vocabulary = vocabulary;
        this.runsAhead = runsAhead;
        Batch = new StepBatch(maxTokens, maxSequences, maxBlocks, Math.Max(maxTokens, maxSequences));
        drawn = new int[Batch.MaxLogitRows];
        received = new int[Batch.MaxLogitRows];
        logits = new float[Batch.MaxLogitRows * vocabulary];
    }

    public override StepBatch Batch { get; }

    public override string DeviceName => "stub";

    public override DataType CacheType => DataType.Float16;

    public override DataType ActivationType => DataType.Float32;

    public override long WorkingBytes => 0;

    public override bool RunsAhead => runsAhead;

    public override bool TellsDrawnApart => false;

    /// <summary>Called with the batch of every step; what it throws is the step's failure.</summary>
    public Action<StepBatch>? OnStep { get; set; }

    /// <summary>Called with every sampler that draws no more.</summary>
    public Action<Sampler>? OnForget { get; set; }

    /// <summary>The token after <paramref name="token"/> at a position: never one of the first three, so that no generation ends by chance.</summary>
    public static int Next(int token, int position, int vocabulary) => 3 + (int)(((uint)token * 7919u + (uint)position * 104729u) % (uint)(vocabulary - 3));

    /// <summary>What an engine needs of it.</summary>
    /// <param name="blocks">Blocks of the cache.</param>
    /// <param name="contextLength">Longest sequence.</param>
    /// <param name="tokenizer">Makes text of its tokens.</param>
    public EngineModel ForEngine(int blocks, int contextLength, Tokenizer? tokenizer = null) =>
        new(this, new BlockPool(blocks), new(Batch.MaxTokens, Batch.MaxSequences, Batch.MaxLogitRows), contextLength, vocabulary, [2], new(new() { Kind = NormKind.Rms, Epsilon = 0 }, null, null), tokenizer);

    public override long Submit()
    {
        OnStep?.Invoke(Batch);
        drawn.CopyTo(received, 0);
        for (var row = 0; row < Batch.LogitRowCount; row++)
        {
            var index = Batch.LogitRows[row];
            var token = Batch.TokenIds[index] is >= 0 and var known ? known : received[-1 - Batch.TokenIds[index]];
            drawn[row] = Next(token, Batch.Positions[index], vocabulary);
            if (Batch.Samplers[row] is not null)
                continue;
            Logits(row).Clear();
            Logits(row)[drawn[row]] = 5;
        }

        return ++LastStep;
    }

    public override IReadOnlyList<NodeTime> SubmitTimed()
    {
        Submit();
        return [];
    }

    public override ReadOnlySpan<int> Receive(long step) => step == LastStep ? drawn : step == LastStep - 1
        ? received
        : throw new InvalidOperationException($"Step {step} was not received before step {LastStep} was submitted.");

    public override Span<float> Logits(int row) => logits.AsSpan(row * vocabulary, vocabulary);

    public override ReadOnlySpan<float> Hidden(int row) => new float[] { 3, Batch.TokenIds[Batch.LogitRows[row]] };

    public override void CopyBlock(BlockCopy copy)
    {
    }

    public override void Forget(Sampler sampler) => OnForget?.Invoke(sampler);

    protected override void Dispose(bool disposing)
    {
    }
}
