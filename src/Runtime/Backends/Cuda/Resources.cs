namespace Weft.Backends.Cuda;

/// <summary>Owns what is added to it and disposes of it in reverse order.</summary>
internal sealed class Resources : IDisposable
{
    private readonly Stack<IDisposable> owned = [];

    /// <summary>Takes ownership.</summary>
    public T Add<T>(T resource)
        where T : IDisposable
    {
        owned.Push(resource);
        return resource;
    }

    public void Dispose()
    {
        while (owned.TryPop(out var resource))
            resource.Dispose();
    }
}
