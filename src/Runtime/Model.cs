using Weft.Tokenizers;
using Weft.Weights;

namespace Weft;

/// <summary>A packed model, loaded and ready to run.</summary>
public sealed class Model : IDisposable
{
    /// <summary>Loads a packed file.</summary>
    /// <exception cref="WeftException">The file is missing, damaged or asks for something unsupported; or a device is not there.</exception>
    public static Model Load(string path, ModelOptions? options = null) => throw new NotImplementedException();

    /// <summary>The header of the packed file.</summary>
    public WeftHeader Header => throw new NotImplementedException();

    /// <summary>The tokenizer, or null when the file has none.</summary>
    public Tokenizer? Tokenizer => throw new NotImplementedException();

    /// <summary>What the model runs on, for people: <c>cpu (AVX-512, 2 threads)</c>.</summary>
    public string DeviceName => throw new NotImplementedException();

    /// <summary>Bytes of weights that one decode step reads (every matrix once; of the embedding one row).</summary>
    public long WeightBytesPerToken => throw new NotImplementedException();

    /// <summary>Floating-point operations of the matrix products of one token (2 per weight).</summary>
    public long MatrixOperationsPerToken => throw new NotImplementedException();

    /// <summary>Starts an empty sequence.</summary>
    public Sequence CreateSequence() => throw new NotImplementedException();

    /// <inheritdoc/>
    public void Dispose()
    {
    }
}
