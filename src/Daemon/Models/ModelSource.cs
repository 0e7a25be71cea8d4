namespace Weft.Daemon.Models;

/// <summary>A model to serve.</summary>
/// <param name="Name">By which requests name it.</param>
/// <param name="Load">Loads it; may take its time.</param>
/// <param name="ChatTemplate">A chat template (Jinja) in place of the model's own; null for that.</param>
public sealed record ModelSource(string Name, Func<Model> Load, string? ChatTemplate = null);
