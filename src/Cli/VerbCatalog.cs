using System.Diagnostics.CodeAnalysis;
using Weft.Cli.Arguments;
using Weft.Cli.Verbs;
using Weft.Convert;

namespace Weft.Cli;

/// <summary>One verb of the command line.</summary>
/// <param name="Options">The verb's class, whose properties its arguments set.</param>
/// <param name="Run">Runs a bound instance of it; returns the exit code.</param>
/// <param name="Examples">Command lines for the help page, tried by the tests.</param>
internal sealed record VerbEntry(
    [property: DynamicallyAccessedMembers(VerbEntry.Bound)] [param: DynamicallyAccessedMembers(VerbEntry.Bound)] Type Options,
    Func<object, Session, int> Run,
    IReadOnlyList<string> Examples)
{
    /// <summary>What binding needs of an options class in a trimmed build.</summary>
    public const DynamicallyAccessedMemberTypes Bound =
        DynamicallyAccessedMemberTypes.PublicProperties | DynamicallyAccessedMemberTypes.PublicParameterlessConstructor;

    /// <summary>Name, options and arguments.</summary>
    public VerbSyntax Syntax { get; } = new(Options);
}

/// <summary>All verbs, in the order in which help lists them.</summary>
internal static class VerbCatalog
{
    /// <summary>The verbs.</summary>
    public static IReadOnlyList<VerbEntry> All { get; } =
    [
        Of<DemoVerb>("weft demo"),
        Of<ConvertVerb>("weft convert models/bard -o bard.weft", "weft convert ~/checkpoints/TinyLlama --dtype bf16"),
        Of<RunVerb>(
            "weft run models/bard \"ROMEO:\" --max-tokens 64",
            "weft run bard.weft --file prompt.txt --greedy --stats",
            "echo \"JULIET:\" | weft run bard.weft - --temperature 0.7 --top-p 0.9 --seed 1"),
        Of<ChatVerb>("weft chat chat.weft", "weft chat ~/checkpoints/Qwen3-0.6B --system \"Answer in one sentence.\" --temperature 0.7"),
        Of<ServeVerb>("weft serve models/bard", "weft serve chat.weft small=other.weft --port 9000 --api-key-file keys.txt"),
        Of<InspectVerb>("weft inspect bard.weft", "weft inspect bard.weft --verify"),
        Of<TokenizeVerb>("weft tokenize models/bard \"What light is this\"", "weft tokenize models/bard --file prompt.txt --json"),
        Of<DetokenizeVerb>("weft detokenize models/bard 52 338 12"),
        Of<VerifyVerb>("weft verify models/bard --expected models/bard/expected.safetensors", "weft verify ../shared/goldens --device cpu,sim"),
        Of<EvalVerb>("weft eval models/bard --text models/bard/heldout.txt"),
        Of<BenchVerb>("weft bench models/bard", "weft bench model.weft --prefill 512 --decode 128 --repeat 5 --json"),
        Of<BenchServeVerb>(
            "weft bench serve http://localhost:8080 --concurrency 16",
            "weft bench serve https://example.com/v1 --rate 4 --duration 60 --slo ttft=500,tpot=30 --json",
            "weft bench serve http://localhost:8080 --prompt-tokens lognormal:6,0.8 --output-tokens 32-256"),
        Of<ProfileVerb>(
            "weft profile model models/bard --device cpu", "weft profile static --arch sm_80,sm_90a --kernel norm --json kernels.json", "weft profile sim",
            "weft profile compare profiles/sim.json profiles/sim.json", "weft profile report profiles/static.json profiles/sim.json --html kernels.html"),
        Of<DoctorVerb>("weft doctor"),
    ];

    /// <summary>The verb called <paramref name="name"/>.</summary>
    /// <exception cref="UsageException">There is none.</exception>
    public static VerbEntry Find(string name)
    {
        var entry = All.FirstOrDefault(v => v.Syntax.Verb.Name == name);
        if (entry is not null)
            return entry;
        var nearest = Spelling.Nearest(name, All.Select(v => v.Syntax.Verb.Name));
        throw new UsageException($"there is no verb '{name}'" + (nearest is null ? "" : $"; did you mean '{nearest}'?"));
    }

    /// <summary>The verb that a command line begins with; of <c>bench</c> and <c>bench serve</c> the longer one.</summary>
    /// <returns>The verb, or null; and how many arguments its name takes.</returns>
    public static (VerbEntry? Entry, int Words) Match(IReadOnlyList<string> arguments)
    {
        VerbEntry? longest = null;
        var words = 0;
        foreach (var entry in All)
        {
            var name = entry.Syntax.Verb.Name.Split(' ');
            if (name.Length > words && name.SequenceEqual(arguments.Take(name.Length)))
                (longest, words) = (entry, name.Length);
        }

        return (longest, words);
    }

    private static VerbEntry Of<[DynamicallyAccessedMembers(VerbEntry.Bound)] TVerb>(params string[] examples)
        where TVerb : IVerb => new(typeof(TVerb), (options, session) => ((TVerb)options).Execute(session), examples);
}
