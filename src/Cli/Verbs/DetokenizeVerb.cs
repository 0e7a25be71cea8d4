using System.Globalization;
using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Output;
using Weft.Cli.Storage;
using Weft.Weights;

namespace Weft.Cli.Verbs;

/// <summary><c>weft detokenize</c>: the text of token ids.</summary>
[Verb("detokenize", HelpText = "Turns token ids into text.")]
internal sealed class DetokenizeVerb : ModelVerb, IVerb
{
    /// <summary>The ids.</summary>
    [Value(1, MetaName = "ID", HelpText = "Token ids; from standard input, separated by spaces or commas, when none are given.")]
    public IEnumerable<int> Ids { get; set; } = [];

    /// <summary>Leave special tokens out.</summary>
    [Option("skip-special", HelpText = "Leaves special tokens such as BOS out of the text.")]
    public bool SkipSpecial { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        int[] ids = [.. Ids];
        if (ids.Length == 0)
            ids = [.. Parse(TextInput.ReadStandardInput(session))];
        using var packed = WeftFile.Open(ModelStore.Resolve(Model, session));
        var tokenizer = ModelParts.TokenizerOf(packed.Header, Model);
        var vocabulary = packed.Header.Model.VocabularySize;
        foreach (var id in ids)
        {
            if (id < 0 || id >= vocabulary)
                throw new UsageException($"{id} is not a token: the vocabulary of '{Model}' has {vocabulary}");
        }

        session.Terminal.Out.WriteLine(tokenizer.Decode(ids, SkipSpecial));
        return ExitCodes.Success;
    }

    /// <summary>Numbers separated by white space, commas or brackets, so that JSON lists can be piped in.</summary>
    private static IEnumerable<int> Parse(string text) =>
        text.Split([' ', '\t', '\r', '\n', ',', '[', ']'], StringSplitOptions.RemoveEmptyEntries)
            .Select(word => int.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var id)
                ? id
                : throw new UsageException($"'{word}' is not a token id"));
}
