namespace Weft.Profile.Documents;

/// <summary>Files that profiles write.</summary>
internal static class OutputFile
{
    /// <summary>Writes <paramref name="text"/>, with the folders above it where they are missing.</summary>
    /// <exception cref="WeftException">It cannot be written.</exception>
    public static void Write(string path, string text)
    {
        try
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder)
                Directory.CreateDirectory(folder);
            File.WriteAllText(path, text);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new WeftException(failure.Message, failure);
        }
    }
}
