using CommandLine;
using Weft.Convert;

namespace Weft.Cli.Verbs;

/// <summary><c>weft convert</c>: the converter's own command.</summary>
[Verb("convert", HelpText = "Converts a Hugging Face checkpoint or a GGUF file into one packed file.")]
internal sealed class ConvertVerb : ConvertOptions, IVerb
{
    /// <inheritdoc/>
    public int Execute(Session session)
    {
        ConvertCommand.Run(this, session.Terminal.Out, session.Terminal.Note, session.Terminal.Bar, session.Cancellation);
        return ExitCodes.Success;
    }
}
