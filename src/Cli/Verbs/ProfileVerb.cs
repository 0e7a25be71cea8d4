using CommandLine;
using Weft.Cli.Arguments;
using Weft.Profile;

namespace Weft.Cli.Verbs;

/// <summary><c>weft profile</c>: the profiler's own command.</summary>
[Verb("profile", HelpText = "Holds the kernels to their bounds; 'static' compiles each for every architecture and shows registers and spills, without a GPU; 'gpu' checks and times them on one.")]
internal sealed class ProfileVerb : ProfileOptions, IVerb
{
    /// <inheritdoc/>
    public int Execute(Session session)
    {
        if (What is not ("static" or "sim" or "gpu"))
            throw new UsageException($"there is no profile '{What}'; there are static, sim and gpu");
        return ProfileCommand.Run(this, session.Terminal.Rich, session.Terminal.Note, session.Cancellation) ? ExitCodes.Success : ExitCodes.Failure;
    }
}
