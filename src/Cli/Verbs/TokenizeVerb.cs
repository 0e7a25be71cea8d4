using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Output;
using Weft.Cli.Storage;
using Weft.Weights;

namespace Weft.Cli.Verbs;

/// <summary><c>weft tokenize</c>: the token ids of a text, with the piece of text that each stands for.</summary>
[Verb("tokenize", HelpText = "Turns text into token ids and shows the piece of text that each stands for.")]
internal sealed class TokenizeVerb : ModelVerb, IVerb
{
    /// <summary>The text.</summary>
    [Value(1, MetaName = "TEXT", HelpText = "The text; - reads standard input (one final line break is dropped).")]
    public string? Text { get; set; }

    /// <summary>File that holds the text.</summary>
    [Option('f', "file", MetaValue = "FILE", HelpText = "Takes the text from a UTF-8 file (one final line break is dropped).")]
    public string? File { get; set; }

    /// <summary>No special tokens.</summary>
    [Option("no-special", HelpText = "Adds no special tokens such as BOS.")]
    public bool NoSpecial { get; set; }

    /// <summary>Machine-readable output.</summary>
    [Option("json", HelpText = "Prints JSON.")]
    public bool Json { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        var text = TextInput.Read(Text, File, session)
            ?? throw new UsageException("'tokenize' needs TEXT, --file FILE or - for standard input");
        using var packed = WeftFile.Open(ModelStore.Resolve(Model, session));
        var tokenizer = ModelParts.TokenizerOf(packed.Header, Model);
        var ids = tokenizer.Encode(text, addSpecialTokens: !NoSpecial);
        var report = new TokenizeReport(ids, [.. ids.Select(tokenizer.Piece)]);
        if (Json)
        {
            session.Terminal.Out.WriteJson(report, CliJson.Default.TokenizeReport);
            return ExitCodes.Success;
        }

        foreach (var (id, piece) in report.Ids.Zip(report.Pieces))
            session.Terminal.Out.WriteLine($"{id,8}  {Quoted(piece)}");
        return ExitCodes.Success;
    }

    /// <summary>One line whatever is inside.</summary>
    private static string Quoted(string piece) => "'" + piece
        .Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("\n", "\\n", StringComparison.Ordinal)
        .Replace("\r", "\\r", StringComparison.Ordinal)
        .Replace("\t", "\\t", StringComparison.Ordinal) + "'";
}
