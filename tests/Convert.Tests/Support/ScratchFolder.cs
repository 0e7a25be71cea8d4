namespace Weft.Convert.Tests.Support;

/// <summary>An empty folder of its own for one test, deleted afterwards.</summary>
internal sealed class ScratchFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("weft-convert-tests-").FullName;

    /// <summary>A path inside.</summary>
    public string this[string name] => Path.Combine(Root, name);

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
