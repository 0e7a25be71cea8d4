using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Output;
using Weft.Cli.Storage;
using Weft.Tensors;

namespace Weft.Cli.Verbs;

/// <summary>What every verb that executes a model accepts, and how it is loaded.</summary>
internal abstract class ExecutionVerb : ModelVerb
{
    /// <summary>Backend.</summary>
    [Option("device", MetaValue = "NAME", HelpText = "Where the model runs: auto (default; WEFT_DEVICE, else a GPU where there is one), cpu, cuda, cuda:N or sim (the software CUDA device).")]
    public string Device { get; set; } = "auto";

    /// <summary>Worker threads.</summary>
    [Option("threads", MetaValue = "N", HelpText = "Worker threads; one per processor when not given.")]
    public int? Threads { get; set; }

    /// <summary>Element type of the key/value cache.</summary>
    [Option("cache", MetaValue = "TYPE", HelpText = "Element type of the key/value cache: f16 (default), bf16, or on the CPU f32 (default there for models with f32 weights, and where all of it takes no more than 64 MiB).")]
    public string? Cache { get; set; }

    /// <summary>16-bit type on a GPU.</summary>
    [Option("activations", MetaValue = "TYPE", HelpText = "Type of weights and activations on a GPU: bf16 or f16; the weights' own when not given, f16 for f32. On the CPU f32: what meets int4 and int8 weights is not rounded to 8 bits (16 with AVX-512 VNNI or AMX), which is slower.")]
    public string? Activations { get; set; }

    /// <summary>Results may vary with the batch.</summary>
    [Option("no-batch-invariance", HelpText = "On a GPU, lets a request's tokens vary in their last bits with what else runs: long prompts go faster, and answers are found in the prefix cache.")]
    public bool NoBatchInvariance { get; set; }

    /// <summary>The device, parsed.</summary>
    /// <exception cref="UsageException">It is not a device.</exception>
    protected DeviceChoice DeviceChoice
    {
        get
        {
            var (source, text) = Device == "auto" && Environment.GetEnvironmentVariable("WEFT_DEVICE") is { Length: > 0 } named
                ? ("WEFT_DEVICE", named)
                : ("--device", Device);
            return DeviceChoice.TryParse(text, out var choice) ? choice : throw new UsageException($"{source} is {DeviceChoice.Forms}, not '{text}'");
        }
    }

    /// <summary>The cache's type, parsed; null when not given.</summary>
    /// <exception cref="UsageException">It is not a type.</exception>
    protected DataType? CacheType => Cache is null ? null : DataTypes.TryParse(Cache, out var type) && !type.IsQuantized()
        ? type
        : throw new UsageException($"--cache is f16, bf16 or f32, not '{Cache}'");

    /// <summary>The activations' type, parsed; null when not given.</summary>
    /// <exception cref="UsageException">It is not a type.</exception>
    protected DataType? ActivationType => Activations is null ? null : DataTypes.TryParse(Activations, out var type) && !type.IsQuantized()
        ? type
        : throw new UsageException($"--activations is bf16, f16 or f32, not '{Activations}'");

    /// <summary>Finds (or converts) the model and loads it.</summary>
    /// <param name="session">Where notes go; stops on Ctrl-C.</param>
    /// <param name="cacheTokens">Tokens the cache holds; 0 takes the model's context length.</param>
    protected Model Load(Session session, int cacheTokens = 0) => Load(session, Model, Options() with { CacheTokens = cacheTokens });

    /// <summary>Finds (or converts) a model and loads it.</summary>
    protected static Model Load(Session session, string model, ModelOptions options)
    {
        var path = ModelStore.Resolve(model, session);
        session.Cancellation.ThrowIfCancellationRequested();
        return Weft.Model.Load(path, options);
    }

    /// <summary>What the options say about loading.</summary>
    /// <exception cref="UsageException">One of them makes no sense.</exception>
    protected ModelOptions Options()
    {
        if (Threads is { } threads)
            Check.AtLeast("--threads", threads, 1);
        return new ModelOptions
        {
            Device = DeviceChoice,
            CacheType = CacheType,
            ActivationType = ActivationType,
            Threads = Threads ?? 0,
            BatchInvariant = !NoBatchInvariance,
        };
    }
}
