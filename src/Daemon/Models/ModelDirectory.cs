using Weft.Daemon.Errors;

namespace Weft.Daemon.Models;

/// <summary>How far the server is.</summary>
internal enum ServerState
{
    /// <summary>A model is being loaded or warmed up.</summary>
    Loading,

    /// <summary>Everything answers.</summary>
    Ready,

    /// <summary>It finishes what it has and takes no more.</summary>
    Draining,
}

/// <summary>The models that are served, by name.</summary>
internal sealed class ModelDirectory
{
    private volatile IReadOnlyList<ServedModel> models = [];
    private volatile ServerState state = ServerState.Loading;

    /// <summary>How far the server is.</summary>
    public ServerState State => state;

    /// <summary>All models, in the order given.</summary>
    public IReadOnlyList<ServedModel> All => models;

    /// <summary>Opens the server with its models.</summary>
    public void Open(IReadOnlyList<ServedModel> loaded)
    {
        models = loaded;
        if (state == ServerState.Loading)
            state = ServerState.Ready;
    }

    /// <summary>Refuses what comes from now on.</summary>
    public void Drain() => state = ServerState.Draining;

    /// <summary>The model that a request names; where only one is served, one without a name means it.</summary>
    /// <exception cref="ApiException">There is none of that name, or the server takes no requests.</exception>
    public ServedModel Find(string? name)
    {
        RequireReady();
        if (name is null)
            return models.Count == 1 ? models[0] : throw ApiException.BadRequest("'model' is missing, and this server has several.", "model");
        return models.FirstOrDefault(model => model.Name == name) ?? throw ApiException.UnknownModel(name);
    }

    /// <summary>Throws unless requests are taken.</summary>
    /// <exception cref="ApiException">They are not.</exception>
    public void RequireReady()
    {
        if (state == ServerState.Loading)
            throw ApiException.Unavailable("The model is still being loaded.");
        if (state == ServerState.Draining)
            throw ApiException.Unavailable("The server is shutting down.");
    }
}
