using System.Text;

namespace Weft.Cli.Output;

/// <summary>Text that a verb takes from an argument, a file or standard input.</summary>
internal static class TextInput
{
    /// <summary>Reads the text, or returns null when neither an argument nor a file is given.</summary>
    /// <param name="argument">The text itself; "-" reads standard input.</param>
    /// <param name="file">A file of UTF-8 text, or null.</param>
    /// <param name="session">Standard input; stops on Ctrl-C even while it waits there.</param>
    /// <exception cref="WeftException">The file cannot be read.</exception>
    /// <exception cref="Arguments.UsageException">Both are given.</exception>
    public static string? Read(string? argument, string? file, Session session)
    {
        if (argument is not null && file is not null)
            throw new Arguments.UsageException("give either the text or --file, not both");
        if (file is not null)
            return WithoutFinalNewline(ReadFile(file));
        return argument == "-" ? WithoutFinalNewline(ReadStandardInput(session)) : argument;
    }

    /// <summary>Reads standard input to its end.</summary>
    /// <exception cref="OperationCanceledException">Ctrl-C.</exception>
    public static string ReadStandardInput(Session session) =>
        // A read from a terminal cannot be cancelled; it is left alone on its thread, which does not keep the process alive.
        Task.Run(session.Terminal.In.ReadToEnd).WaitAsync(session.Cancellation).GetAwaiter().GetResult();

    /// <summary>Reads a whole file of UTF-8 text.</summary>
    /// <exception cref="WeftException">It is not there, cannot be read or is not UTF-8.</exception>
    public static string ReadFile(string path)
    {
        try
        {
            return File.ReadAllText(path, new UTF8Encoding(false, throwOnInvalidBytes: true));
        }
        catch (DecoderFallbackException failure)
        {
            throw new WeftException($"'{path}' is not UTF-8 text", failure);
        }
        catch (Exception failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new WeftException($"there is no file '{path}'", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new WeftException($"'{path}' cannot be read as a text file", failure);
        }
    }

    /// <summary>Editors and echo end a text with a line break that nobody means as part of the prompt.</summary>
    private static string WithoutFinalNewline(string text) =>
        text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
}
