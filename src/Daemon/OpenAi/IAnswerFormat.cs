using System.Text.Json;
using Weft.Daemon.Streaming;

namespace Weft.Daemon.OpenAi;

/// <summary>How one of OpenAI's ways of generating writes its answers.</summary>
internal interface IAnswerFormat
{
    /// <summary>Beginning of answers' ids: <c>chatcmpl-</c>.</summary>
    string IdPrefix { get; }

    /// <summary>The field <c>object</c> of a whole answer.</summary>
    string Object { get; }

    /// <summary>The field <c>object</c> of a piece of a stream.</summary>
    string ChunkObject { get; }

    /// <summary>Whether a stream begins with a piece before any text.</summary>
    bool HasOpening { get; }

    /// <summary>Writes the fields of a choice in a stream, beside its index and the reason of its end.</summary>
    /// <param name="writer">In the choice's object.</param>
    /// <param name="index">Which choice.</param>
    /// <param name="news">What is new; null for the opening piece, and nothing new in the last one.</param>
    void WriteChunk(Utf8JsonWriter writer, int index, ChoiceNews? news);

    /// <summary>Writes the fields of a whole choice, beside its index and the reason of its end.</summary>
    /// <param name="writer">In the choice's object.</param>
    /// <param name="index">Which choice.</param>
    /// <param name="text">All its text.</param>
    /// <param name="tokens">Its tokens, where log-probabilities were asked for.</param>
    void WriteChoice(Utf8JsonWriter writer, int index, string text, IReadOnlyList<TokenOutput> tokens);
}
