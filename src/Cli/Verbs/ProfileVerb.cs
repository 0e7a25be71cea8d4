using CommandLine;
using Weft.Cli.Arguments;
using Weft.Cli.Storage;
using Weft.Profile;

namespace Weft.Cli.Verbs;

/// <summary><c>weft profile</c>: the profiler's own command.</summary>
[Verb("profile", HelpText = "Holds the kernels to their bounds: what the compiler says of them, what they do, how long they take, and what a change did to that.")]
internal sealed class ProfileVerb : ProfileOptions, IVerb
{
    /// <inheritdoc/>
    public int Execute(Session session)
    {
        if (!ProfileCommand.Names.Contains(What))
            throw new UsageException($"there is no profile '{What}'; there are {string.Join(", ", ProfileCommand.Names)}");
        return ProfileCommand.Run(this, session.Terminal.Rich, Load, session.Terminal.Note, session.Cancellation) ? ExitCodes.Success : ExitCodes.Failure;

        Model Load(string path, string? device)
        {
            if (!DeviceChoice.TryParse(device ?? Environment.GetEnvironmentVariable("WEFT_DEVICE") ?? "auto", out var choice))
                throw new UsageException($"--device is {DeviceChoice.Forms}, not '{device}'");
            return Weft.Model.Load(ModelStore.Resolve(path, session), new ModelOptions { Device = choice });
        }
    }
}
