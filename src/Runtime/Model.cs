using System.Runtime.InteropServices;
using Weft.Backends;
using Weft.Backends.Cpu;
using Weft.Backends.Cuda;
using Weft.Graph;
using Weft.Interop;
using Weft.KvCache;
using Weft.Models;
using Weft.Scheduling;
using Weft.Serving;
using Weft.Tensors;
using Weft.Tokenizers;
using Weft.Weights;

namespace Weft;

/// <summary>
/// A packed model, loaded and ready to run: the file mapped, its graph fused, planned and bound to a device, and the pool of cache
/// blocks that its sequences share. Not thread-safe: one step runs at a time.
/// </summary>
public sealed class Model : IDisposable
{
    // Rows of logits that one step may ask for are bounded by memory: a step that needs all of a long prompt's runs in parts.
    private const long LogitBytes = 64L << 20;

    // Snapshots of the states of recurrent blocks: four a sequence, as far as this goes.
    private const long SnapshotBytes = 1L << 30;

    private static readonly string[] SourceProjections = ["cross_attention.key.weight", "cross_attention.value.weight"];

    private readonly WeftFile file;

    private Model(string path, ModelOptions options)
    {
        file = WeftFile.Open(path);
        try
        {
            file.Verify();
            var description = file.Header.Model;
            var memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4;
            var context = DefaultContext(description, memory);
            var cacheTokens = options.CacheTokens > 0 ? options.CacheTokens : DefaultCacheTokens(description, memory, context, options.MaxSequences);
            Positions = options.CacheTokens == 0 ? context : description.IsOpenEnded ? cacheTokens : Math.Min(cacheTokens, description.ContextLength);
            if (ContextLength < 1)
                throw new WeftException($"{path}: each sequence begins with {VirtualTokens} virtual tokens, which leave no room for a text in a cache of {options.CacheTokens}");
            // A source takes as much room as what is generated from it.
            var blocks = BlockPool.BlocksFor(cacheTokens) * (description.Encoder is null ? 1 : 2);
            // A prefix is computed in one step, and may be as long as a sequence.
            MaxTokensPerStep = description.Prefix is null ? Math.Min(options.MaxTokensPerStep, cacheTokens) : Positions + options.MaxSequences - 1;
            MaxLogitRows = Math.Max(options.MaxSequences, (int)Math.Clamp(LogitBytes / (description.VocabularySize * (long)sizeof(float)), 16, Math.Max(16, MaxTokensPerStep)));
            Blocks = new BlockPool(blocks);
            var graph = Fusion.Fuse(GraphBuilder.Build(Header.Model));
            if (graph.StateSize > 0)
                States = new(options.MaxSequences, (int)Math.Clamp(SnapshotBytes / (graph.StateSize * (long)sizeof(float)), 1, 4L * options.MaxSequences));
            Program = Compile(options, graph, blocks);
            Tokenizer = file.Header.Tokenizer is { } tokenizer ? Tokenizer.Create(tokenizer) : null;
            WeightBytes = file.Header.Tensors.Sum(tensor => tensor.Length);
            (WeightBytesPerToken, MatrixOperationsPerToken) = CountWork(description);
        }
        catch
        {
            Program?.Dispose();
            file.Dispose();
            throw;
        }
    }

    /// <summary>The header of the packed file.</summary>
    public WeftHeader Header => file.Header;

    /// <summary>The packed file.</summary>
    public string Path => file.Path;

    /// <summary>The tokenizer, or null when the file has none.</summary>
    public Tokenizer? Tokenizer { get; }

    /// <summary>Longest sequence, in tokens: the model's context length, or what <see cref="ModelOptions.CacheTokens"/> made of it, without virtual tokens.</summary>
    public int ContextLength => Positions - VirtualTokens;

    /// <summary>
    /// Tokens after which a sequence that had no more is to be computed anew, as a prompt: its keys are turned another way from there on (LongRoPE). Null where keys stay right.
    /// </summary>
    public int? KeysLast => RotaryLength.KeysLast(Header.Model);

    /// <summary>What the model runs on, for people: <c>cpu (AVX-512, 2 threads)</c>.</summary>
    public string DeviceName => Program.DeviceName;

    /// <summary>Element type of the key/value cache.</summary>
    public DataType CacheType => Program.CacheType;

    /// <summary>Element type of activations: f32 on the CPU, 16 bits wide on a GPU.</summary>
    public DataType ActivationType => Program.ActivationType;

    /// <summary>
    /// The model computes small differences of large numbers, so that the rounding of 16-bit activations counts several times as much as elsewhere: attention scores that are not
    /// scaled down by the root of the head size, or state spaces.
    /// </summary>
    public bool MagnifiesRounding => Header.Model.HasUnscaledScores || Header.Model.HasStateSpaces;

    /// <summary>Bytes of all weights.</summary>
    public long WeightBytes { get; }

    /// <summary>Bytes of weights that one decode step reads (every matrix once; of the embedding one row).</summary>
    public long WeightBytesPerToken { get; }

    /// <summary>Floating-point operations of the matrix products of one token of a prompt (2 per weight), of which an encoder reads the whole.</summary>
    public long MatrixOperationsPerToken { get; }

    /// <summary>Bytes set aside for the cache, activations and scratch; the system commits them as they are used.</summary>
    public long WorkingBytes => Program.WorkingBytes;

    /// <summary>
    /// What was measured on the device when the model was loaded, and is done accordingly, a line each for people: how products with quantized weights are computed for how many
    /// rows, where <see cref="ModelOptions.BatchInvariant"/> is off. Empty where nothing had to be chosen.
    /// </summary>
    public IReadOnlyList<string> MeasuredChoices => Program.MeasuredChoices;

    internal StepProgram Program { get; }

    internal BlockPool Blocks { get; }

    /// <summary>Slots of the states of recurrent blocks; null where there are none.</summary>
    internal StatePool? States { get; }

    /// <summary>Tokens of the model's own that every sequence begins with (<see cref="VirtualTokensDescription"/>).</summary>
    internal int VirtualTokens => Header.Model.VirtualTokens?.Count ?? 0;

    /// <summary>Tokens of the longest sequence, virtual ones included.</summary>
    internal int Positions { get; }

    private int StateSlots => States is null ? 0 : States.Sequences + States.Snapshots;

    internal int MaxTokensPerStep { get; }

    internal int MaxLogitRows { get; }

    /// <summary>Loads a packed file.</summary>
    /// <exception cref="WeftException">The file is missing, damaged or asks for something unsupported; or a device is not there.</exception>
    public static Model Load(string path, ModelOptions? options = null)
    {
        options ??= new ModelOptions();
        options.Validate();
        try
        {
            return new Model(path, options);
        }
        catch (OutOfMemoryException exception)
        {
            throw new WeftException(
                $"{path}: not enough memory for a key/value cache of this length; ask for a smaller context", exception);
        }
    }

    /// <summary>What an engine takes over.</summary>
    internal EngineModel ForEngine() => new(
        Program,
        Blocks,
        new(MaxTokensPerStep, Program.Batch.MaxSequences, MaxLogitRows, Program.Batch.Source?.MaxTokens ?? 0),
        ContextLength,
        Header.Model.VocabularySize,
        Header.Generation.EosTokens,
        FinalNorm(),
        Tokenizer,
        States)
    {
        Prefix = Header.Model.Prefix,
        VirtualTokens = VirtualTokens,
        Encoder = Header.Model.Encoder,
        Keys = Header.Model.Attentions.Any(attention => RotaryLength.Counts(attention.Rotary))
            ? new(length => RotaryLength.KeysOf(Header.Model, length), KeysLast)
            : null,
    };

    private HiddenNorm? FinalNorm()
    {
        if (Header.Model.FinalNorm is not { } norm)
            return null;
        return new(norm, norm.Weightless ? null : Vector(TensorSchema.FinalNorm), norm.Bias ? Vector(TensorSchema.FinalNormBias) : null);

        float[] Vector(string name) => MemoryMarshal.Cast<byte, float>(file.Bytes(file.Find(name), 0, (int)file.Find(name).Length)).ToArray();
    }

    /// <summary>Starts an empty sequence.</summary>
    public Sequence CreateSequence() => new(this);

    /// <inheritdoc/>
    public void Dispose()
    {
        Program.Dispose();
        file.Dispose();
    }

    private StepProgram Compile(ModelOptions options, StepGraph graph, int blocks)
    {
        var tableBlocks = BlockPool.BlocksFor(Positions);
        // Sources are encoded whole, several in a step where they fit.
        var sources = Header.Model.Encoder is null ? null : new StepBatch(Math.Max(Positions, options.MaxTokensPerStep), options.MaxSequences, tableBlocks, 0);
        var batch = new StepBatch(MaxTokensPerStep, options.MaxSequences, tableBlocks, MaxLogitRows, Header.Model.Prefix is not null, sources);
        switch (options.Device.Kind)
        {
            case DeviceKind.Cuda:
                return CompileCuda(CudaPlatform.Nvidia, graph, batch, options, blocks);
            case DeviceKind.Simulator:
                return CompileCuda(CudaPlatform.Simulator, graph, batch, options, blocks);
            case DeviceKind.Auto when CudaBackend.IsPresent():
                try
                {
                    return CompileCuda(CudaPlatform.Nvidia, graph, batch, options, blocks);
                }
                catch (WeftException)
                {
                    // The GPU cannot hold or run this model: the processor can.
                    break;
                }
        }

        if (options.CacheType == DataType.Float16 && Header.Model.HasWideKeys)
            throw new WeftException($"{file.Path}: over {Header.Model.ContextLength} tokens the keys of this model take more powers of two than f16 has: take a cache of bf16 or f32");
        return CpuBackend.Compile(graph, file, batch, new CpuOptions(
            options.Instructions ?? InstructionSets.Best,
            options.Threads > 0 ? options.Threads : Environment.ProcessorCount,
            options.CacheType ?? (HasFullPrecision || Header.Model.HasUnscaledScores || Header.Model.HasWideKeys || HasSmallCache(blocks) ? DataType.Float32 : DataType.Float16),
            blocks,
            Positions,
            StateSlots,
            options.ActivationType != DataType.Float32));
    }

    // Whoever keeps weights in float32 does so for digits that a cache of 16 bits would lose.
    private bool HasFullPrecision => file.Find(TensorSchema.Embedding).DataType == DataType.Float32;

    // Half of so little memory is not worth digits, and what a processor's own memory holds is read no faster for being half as long.
    private bool HasSmallCache(int blocks)
    {
        const long Small = 64 << 20;
        return (long)blocks * BlockPool.BlockSize * Header.Model.Caches.OfType<AttentionDescription>().Sum(attention => (long)attention.CacheSize) * sizeof(float) <= Small;
    }

    private StepProgram CompileCuda(CudaPlatform platform, StepGraph graph, StepBatch batch, ModelOptions options, int blocks)
    {
        return CudaBackend.Compile(platform, graph, new FileWeights(file), batch, new CudaOptions(
            options.Device.Ordinal, options.ActivationType, options.CacheType, blocks, Positions, options.BatchInvariant, StateSlots, options.ProductWays));
    }

    /// <summary>The model's own. What no release has says that there is no end, and is cut to what fits the memory.</summary>
    private static int DefaultContext(ModelDescription description, long memory)
    {
        const int Longest = 1 << 20;
        const int LeastOfLonger = 1 << 12;
        // A prefix is computed in one step, which keeps several rows of every token.
        const long RowsOfStep = 16;
        if (description.ContextLength <= Longest)
            return description.ContextLength;
        var bytes = CacheBytes(description) + (description.Prefix is null ? 0 : RowsOfStep * sizeof(float) * description.HiddenSize);
        return (int)Math.Clamp(memory / bytes, LeastOfLonger, Longest);
    }

    /// <summary>Room for a context, and where several sequences run for that many of them, as far as the memory goes.</summary>
    private static int DefaultCacheTokens(ModelDescription description, long memory, int context, int sequences)
    {
        const int MostContexts = 8;
        var wanted = (long)context * Math.Min(sequences, MostContexts);
        return (int)Math.Clamp(Math.Min(wanted, memory / CacheBytes(description)), context, int.MaxValue / 2);
    }

    /// <summary>Bytes of a token's keys and values. Where no layer keeps any, a token costs nothing but its place in the books.</summary>
    private static long CacheBytes(ModelDescription description)
    {
        const int ElementBytes = 2;
        return Math.Max(1, description.Caches.OfType<AttentionDescription>().Sum(attention => (long)attention.CacheSize * ElementBytes) * (description.Encoder is null ? 1 : 2));
    }

    private (long Bytes, long Operations) CountWork(ModelDescription description)
    {
        var embedding = file.Find(TensorSchema.Embedding);
        var bytes = (long)description.HiddenSize * embedding.DataType.Size();
        var operations = 0L;
        foreach (var tensor in Header.Tensors.Where(tensor => tensor.Shape.Count > 1))
        {
            if ((tensor.Name == TensorSchema.Embedding && !description.Head.Tied) || TensorSchema.IsOfVirtualTokens(tensor.Name))
                continue;
            // The encoder and what the layers make of its results run once a source.
            var isOfSource = tensor.Name.StartsWith(TensorSchema.Encoder, StringComparison.Ordinal) || SourceProjections.Any(name => tensor.Name.EndsWith(name, StringComparison.Ordinal));
            if (!isOfSource)
                bytes += tensor.Length;
            if (isOfSource == description.Encoder is not null)
                operations += 2 * tensor.Shape.Aggregate(1L, (product, size) => product * size);
        }

        return (bytes, operations);
    }
}
