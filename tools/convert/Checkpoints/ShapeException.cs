namespace Weft.Convert.Checkpoints;

/// <summary>A tensor has another shape than the config asks for. Whoever knows the config adds the members of it that ask so.</summary>
/// <param name="tensor">The tensor, or a view of it.</param>
/// <param name="asked">What the config asks for.</param>
internal sealed class ShapeException(StoredTensor tensor, string asked)
    : WeftException($"{tensor.File}: tensor '{tensor.Name}' has the shape [{string.Join(", ", tensor.FileShape)}], but the config asks for {asked}")
{
    /// <summary>The tensor, or the view of it that something was wanted of.</summary>
    public StoredTensor Tensor => tensor;
}
