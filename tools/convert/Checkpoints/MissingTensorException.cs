namespace Weft.Convert.Checkpoints;

/// <summary>A tensor is missing. Whoever knows the config adds the members of it that ask for the tensor.</summary>
internal sealed class MissingTensorException(string message) : WeftException(message);
