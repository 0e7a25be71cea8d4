using CommandLine;
using Weft.Cli.Output;
using Weft.Cli.Storage;
using Weft.Weights;

namespace Weft.Cli.Verbs;

/// <summary><c>weft inspect</c>: what is in a packed file, from its header alone.</summary>
[Verb("inspect", HelpText = "Shows what is in a packed file: the model, its tokenizer, where it came from, and every tensor.")]
internal sealed class InspectVerb : ModelVerb, IVerb
{
    /// <summary>Check the data too.</summary>
    [Option("verify", HelpText = "Reads the whole file and compares every tensor with its checksum.")]
    public bool Verify { get; set; }

    /// <summary>Machine-readable output.</summary>
    [Option("json", HelpText = "Prints JSON.")]
    public bool Json { get; set; }

    /// <inheritdoc/>
    public int Execute(Session session)
    {
        using var file = WeftFile.Open(ModelStore.Resolve(Model, session));
        if (Verify)
            file.Verify(session.Cancellation);
        var report = InspectReport.Of(file, Verify);
        if (Json)
            session.Terminal.Out.WriteJson(report, CliJson.Default.InspectReport);
        else
            InspectTable.Write(session.Terminal, report);
        return ExitCodes.Success;
    }
}
