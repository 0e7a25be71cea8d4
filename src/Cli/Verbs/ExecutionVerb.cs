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
    [Option("device", MetaValue = "NAME", Default = "auto", HelpText = "Where the model runs: auto or cpu.")]
    public string Device { get; set; } = "auto";

    /// <summary>Worker threads.</summary>
    [Option("threads", MetaValue = "N", HelpText = "Worker threads; one per processor when not given.")]
    public int? Threads { get; set; }

    /// <summary>Element type of the key/value cache.</summary>
    [Option("cache", MetaValue = "TYPE", Default = "f16", HelpText = "Element type of the key/value cache: f16 (default), bf16 or f32.")]
    public string Cache { get; set; } = "f16";

    /// <summary>The cache's type, parsed.</summary>
    /// <exception cref="UsageException">It is not a type.</exception>
    protected DataType CacheType => DataTypes.TryParse(Cache, out var type)
        ? type
        : throw new UsageException($"--cache is f16, bf16 or f32, not '{Cache}'");

    /// <summary>Finds (or converts) the model and loads it.</summary>
    /// <param name="session">Where notes go; stops on Ctrl-C.</param>
    /// <param name="cacheTokens">Tokens the cache holds; 0 takes the model's context length.</param>
    protected Model Load(Session session, int cacheTokens = 0)
    {
        if (Device is not ("auto" or "cpu"))
            throw new UsageException($"--device is auto or cpu, not '{Device}'");
        if (Threads is { } threads)
            Check.AtLeast("--threads", threads, 1);
        var options = new ModelOptions { Device = Device, CacheType = CacheType, Threads = Threads ?? 0, CacheTokens = cacheTokens };
        var path = ModelStore.Resolve(Model, session);
        session.Cancellation.ThrowIfCancellationRequested();
        return Weft.Model.Load(path, options);
    }
}
